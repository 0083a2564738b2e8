import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSafetensors, readShards } from "../../src/weight_files/safetensors";
import { safetensorsFile, withHeader } from "../weight_writers";
import { flipped, refusedOrInBounds, watched } from "./weight_bytes";

const file = safetensorsFile([
  { name: "a", dtype: "F32", shape: [2, 3], bytes: new Uint8Array(24).fill(1) },
  { name: "b", dtype: "BF16", shape: [4], bytes: new Uint8Array(8).fill(2) },
  { name: "none", dtype: "I64", shape: [0], bytes: new Uint8Array(0) },
]);

test("tensors lie where the header says", async () => {
  const tensors = await readSafetensors(watched(file));
  expect(tensors.map(({ name, type, shape, bytes }) => [name, type, shape, bytes])).toEqual([
    ["a", "F32", [2, 3], 24],
    ["b", "BF16", [4], 8],
    ["none", "I64", [0], 0],
  ]);
  const [a, b] = tensors;
  expect([...(await b!.file.read(b!.offset, b!.bytes))]).toEqual(Array(8).fill(2));
  expect(a!.offset + 32).toBe(file.length);
});

test("however it is cut, a file is refused with the place", async () => {
  for (let length = 0; length < file.length; length++)
    expect(await refusedOrInBounds(file.subarray(0, length), readSafetensors)).toBe("refused");
});

test("whatever byte is changed, it is refused with the place, or what is read lies in the file", async () => {
  const header = file.length - 32;
  await fc.assert(
    fc.asyncProperty(fc.nat(header - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      await refusedOrInBounds(flipped(file, at, by), readSafetensors);
    }),
    { numRuns: 400 },
  );
});

test("a length of the header is held against the file, whatever it is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.bigInt(0n, 2n ** 64n - 1n), async (length) => {
      const changed = Uint8Array.from(file);
      new DataView(changed.buffer).setBigUint64(0, length, true);
      const real = new DataView(file.buffer).getBigUint64(0, true);
      expect(await refusedOrInBounds(changed, readSafetensors)).toBe(length === real ? "read" : "refused");
    }),
  );
});

test("any JSON for a header is refused, or read within the file", async () => {
  const entry = fc.record({
    dtype: fc.constantFrom("F32", "F16", "X"),
    shape: fc.array(fc.oneof(fc.nat(5), fc.constant(2 ** 53), fc.constant(-1), fc.constant(0.5)), {
      maxLength: 3,
    }),
    data_offsets: fc.array(fc.oneof(fc.nat(40), fc.constant(1e300)), { maxLength: 3 }),
  });
  const header = fc.oneof(
    fc.json(),
    fc.dictionary(fc.string(), entry).map((each) => JSON.stringify(each)),
  );
  await fc.assert(
    fc.asyncProperty(header, fc.nat(40), async (text, data) => {
      await refusedOrInBounds(withHeader(text, new Uint8Array(data)), readSafetensors);
    }),
    { numRuns: 400 },
  );
});

describe("refused with offset and reason", () => {
  const entry = (more: object) =>
    JSON.stringify({ t: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...more } });
  const bytes = new Uint8Array(8);
  const two = (first: readonly number[], second: readonly number[]) =>
    JSON.stringify({
      a: { dtype: "U8", shape: [4], data_offsets: first },
      b: { dtype: "U8", shape: [4], data_offsets: second },
    });
  test.each([
    [Uint8Array.of(1, 2), "at byte 0: the length of the header takes 8 bytes, and there are 2"],
    [withHeader("").subarray(0, 8), "at byte 0: a header of 0 bytes is none"],
    [withHeader("[]"), "at byte 8: the header does not begin with {"],
    [withHeader("{nonsense"), "at byte 8: the header is not JSON"],
    [withHeader(entry({ dtype: "F33" }), bytes), "at byte 8: t: dtype F33 is not known"],
    [withHeader(entry({ shape: [3] }), bytes), "t: 3 of F32 are 12 bytes, not 8"],
    [withHeader(entry({ shape: [-2] }), bytes), "at byte 8: t: shape.0"],
    [withHeader(entry({ shape: [2 ** 30, 2 ** 30] }), bytes), "t: shape 1073741824x1073741824 is too large"],
    [withHeader(entry({ data_offsets: [0, 16] }), bytes), "t: bytes 0 to 16 are not among the 8 of data"],
    [withHeader(entry({ data_offsets: [8, 0] }), bytes), "t: bytes 8 to 0 are not among the 8 of data"],
    [withHeader(entry({ extra: 1 }), bytes), "at byte 8: t: extra"],
    [withHeader(entry({}), new Uint8Array(9)), "1 bytes at the end belong to no tensor"],
    [withHeader(two([0, 4], [2, 6]), new Uint8Array(6)), "b overlaps with the tensor before it"],
    [withHeader(two([0, 4], [5, 9]), new Uint8Array(9)), "1 bytes before b belong to no tensor"],
  ])("%#: %s", async (given, says) => {
    await expect(readSafetensors(watched(given))).rejects.toThrow(says);
  });
});

describe("in several files", () => {
  const shard = (name: string) =>
    watched(
      safetensorsFile([{ name, dtype: "F32", shape: [1], bytes: new Uint8Array(4) }]),
      `${name}.safetensors`,
    );
  const index = (weight_map: unknown) =>
    watched(
      new TextEncoder().encode(JSON.stringify({ metadata: {}, weight_map })),
      "model.safetensors.index.json",
    );
  const files = new Map([shard("a"), shard("b")].map((each) => [each.name, each]));

  test("each tensor comes from the file that the index names", async () => {
    const found = await readShards(index({ a: "a.safetensors", b: "b.safetensors" }), files);
    expect(found.map(({ name, file: from }) => [name, from.name])).toEqual([
      ["a", "a.safetensors"],
      ["b", "b.safetensors"],
    ]);
  });

  test.each([
    [{ a: "c.safetensors" }, "names c.safetensors, which is not here"],
    [{ a: "b.safetensors" }, "b.safetensors has no tensor a"],
    [["a"], "names a, which is not here"],
    [{ a: 1 }, "weight_map.a"],
  ])("%j is refused", async (map, says) => {
    await expect(readShards(index(map), files)).rejects.toThrow(says);
  });
});
