import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteSource } from "../../src/weight_files/byte_source";
import { readGguf } from "../../src/weight_files/gguf";
import { ggufFile } from "../weight_writers";
import { flipped, refusedOrInBounds, watched } from "./weight_bytes";

const metadata = {
  "general.architecture": { text: "llama" },
  "a.number": { u32: 7 },
  "a.float": { f32: 0.5 },
  "a.flag": { bool: true },
  "a.list": { i32s: [1, -2, 3] },
  "a.floats": { f32s: [0.25, -1] },
  "a.texts": { texts: ["one", "", "drei€"] },
} as const;
const tensors = [
  { name: "w", dtype: "Q8_0", shape: [2, 64], bytes: new Uint8Array(4 * 34).fill(1) },
  { name: "n", dtype: "F32", shape: [3], bytes: new Uint8Array(12).fill(2) },
] as const;
const file = ggufFile(metadata, tensors);
/** Where data begin: before, every byte matters. */
const begin = file.length - 5 * 32 - 32;

const tensorsOf = async (from: ByteSource) => (await readGguf(from)).tensors;

test("metadata and tensors are as they were written", async () => {
  const { metadata: read, tensors: found } = await readGguf(watched(file));
  expect(Object.fromEntries(read)).toEqual({
    "general.architecture": "llama",
    "a.number": 7,
    "a.float": 0.5,
    "a.flag": true,
    "a.list": Float64Array.of(1, -2, 3),
    "a.floats": Float64Array.of(0.25, -1),
    "a.texts": ["one", "", "drei€"],
  });
  expect(found.map(({ name, type, shape, bytes }) => [name, type, shape, bytes])).toEqual([
    ["w", "Q8_0", [2, 64], 136],
    ["n", "F32", [3], 12],
  ]);
  const n = found[1]!;
  expect(n.offset % 32).toBe(0);
  expect([...(await n.file.read(n.offset, n.bytes))]).toEqual(Array(12).fill(2));
});

test("version 2 and other alignments are read", async () => {
  const other = ggufFile({ "general.alignment": { u32: 64 } }, tensors, { version: 2, alignment: 64 });
  expect((await tensorsOf(watched(other))).every(({ offset }) => offset % 64 === 0)).toBe(true);
});

test("however it is cut, a file is refused with the place", async () => {
  // What follows the last number is padding.
  const last = file.length - 32 + 12;
  for (let length = 0; length < last; length++)
    expect(await refusedOrInBounds(file.subarray(0, length), tensorsOf)).toBe("refused");
});

test("whatever byte is changed, it is refused with the place, or what is read lies in the file", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(begin - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      await refusedOrInBounds(flipped(file, at, by), tensorsOf);
    }),
    { numRuns: 600 },
  );
});

test("any eight bytes in place of any others make no read beyond the file", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(begin - 8), fc.bigInt(0n, 2n ** 64n - 1n), async (at, value) => {
      const changed = Uint8Array.from(file);
      new DataView(changed.buffer).setBigUint64(at, value, true);
      await refusedOrInBounds(changed, tensorsOf);
    }),
    { numRuns: 600 },
  );
});

/** A file whose header goes on with these words of 32 bits after magic, version, and the two counts. */
const header = (tensorCount: number, pairs: number, ...words: readonly number[]) => {
  const bytes = new Uint8Array(24 + 4 * words.length + 64);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x46554747, true);
  view.setUint32(4, 3, true);
  view.setBigUint64(8, BigInt(tensorCount), true);
  view.setBigUint64(16, BigInt(pairs), true);
  words.forEach((word, i) => {
    view.setUint32(24 + 4 * i, word, true);
  });
  return bytes;
};
const withTensor = (changes: object) => ggufFile(metadata, [{ ...tensors[1], ...changes }]);

/** "kkkk", a key that whole words follow. */
const KKKK = 0x6b6b6b6b;

describe("refused with offset and reason", () => {
  test.each([
    [new TextEncoder().encode("GGML0123"), "at byte 0: it does not begin with GGUF"],
    [ggufFile({}, [], { version: 1 }), "at byte 4: version 1: 2 and 3 are read here"],
    [ggufFile({}, [], { version: 3 << 24 }), "at byte 4: a big-endian file"],
    [header(2 ** 40, 0), "at byte 8: 1099511627776 tensors do not fit into 64 bytes"],
    [header(0, 2 ** 40), "at byte 16: 1099511627776 metadata do not fit into 64 bytes"],
    [header(0, 1, 0xffffffff, 0), "at byte 32: key 0 takes 4294967295 bytes"],
    [header(0, 1, 0, 0), "at byte 24: key 0 has 0 letters"],
    [
      withTensor({ dtype: "12" }),
      "n is stored as Q4_K, which is not read here: F32, F16, BF16, Q8_0, Q4_0, Q6_K are",
    ],
    [withTensor({ dtype: "77" }), "n is stored as type 77"],
    [withTensor({ shape: [] }), "n has 0 dimensions"],
    [withTensor({ shape: [1, 1, 1, 1, 3] }), "n has 5 dimensions"],
    [withTensor({ shape: [0] }), "n: 0 of F32 cannot be"],
    [withTensor({ dtype: "Q8_0" }), "n: 3 of Q8_0 cannot be"],
    [withTensor({ shape: [2 ** 40, 2 ** 40] }), "n: 1099511627776x1099511627776 of F32 cannot be"],
    [withTensor({ shape: [3000] }), /n: bytes \d+ to \d+ are not in a file of \d+/],
    [ggufFile(metadata, [tensors[1], { ...tensors[1], bytes: new Uint8Array(0) }]), "n is there twice"],
    [
      ggufFile(metadata, [
        { ...tensors[1], bytes: new Uint8Array(0) },
        { ...tensors[0], name: "v" },
      ]),
      /v overlaps with n|n overlaps with v/,
    ],
    [ggufFile({ "general.alignment": { u32: 24 } }, []), "general.alignment is 24"],
    [
      ggufFile({ "general.alignment": { u32: 64 } }, [tensors[0], tensors[1]], { alignment: 32 }),
      "is no multiple of 64",
    ],
  ])("%#: %s", async (given, says) => {
    await expect(readGguf(watched(given))).rejects.toThrow(says);
  });

  test.each([
    ["tensors", header(2 ** 21, 0), "at byte 8: 2097152 tensors, and 1048576 are the most"],
    ["metadata", header(0, 2 ** 17), "at byte 16: 131072 metadata, and 65536 are the most"],
    ["bytes of a text", header(0, 1, 4, 0, KKKK, 8, 2 ** 31), "kkkk takes 2147483648 bytes, and 16777216"],
    ["strings", header(0, 1, 4, 0, KKKK, 9, 8, 2 ** 25), "kkkk has 33554432 strings, and 16777216"],
    ["numbers", header(0, 1, 4, 0, KKKK, 9, 0, 2 ** 25), "kkkk has 33554432 numbers, and 16777216"],
  ])("more %s than any model has, in a file that has room for them", async (_, bytes, says) => {
    const most = 2 ** 24;
    const large: ByteSource = {
      name: "file",
      size: 2 ** 33,
      async read(offset, length) {
        if (length > most) throw new Error(`${length} bytes were asked for`);
        const found = new Uint8Array(length);
        found.set(bytes.subarray(offset, offset + length));
        return found;
      },
    };
    await expect(readGguf(large)).rejects.toThrow(says);
  });

  test.each([
    ["type 13 of a value", [13], "at byte 33: k is of type 13"],
    ["an array of arrays", [9, 9, 1, 0], "k is an array of type 9, which is not read"],
    ["more numbers than bytes", [9, 0, 0xffffffff, 0], "k has 4294967295 numbers of 1 bytes"],
    ["more texts than their lengths have room for", [9, 8, 16, 0], "k has 16 strings"],
  ])("%s", async (_what, words, says) => {
    // The key is "k".
    const bytes = header(0, 1);
    const view = new DataView(bytes.buffer);
    view.setUint32(24, 1, true);
    bytes[32] = 0x6b;
    words.forEach((word, i) => {
      view.setUint32(33 + 4 * i, word, true);
    });
    await expect(readGguf(watched(bytes))).rejects.toThrow(says);
  });
});
