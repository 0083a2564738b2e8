import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chips } from "../../src/chips/index";
import { decodeLink, encodeLink } from "../../src/report/link";
import { pack } from "../../src/report/link_packing";
import { report } from "../../src/report/report";
import type { Result } from "../../src/result";
import { eventful, resultOf } from "./result_fixture";
import { untidy } from "./untidy_result";

async function decoded(link: string): Promise<Result> {
  const outcome = await decodeLink(link);
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.result;
}

/** The one line that is the answer to a link that is none. */
async function problemOf(link: string): Promise<string> {
  const outcome = await decodeLink(link);
  if (outcome.ok) return "no problem";
  expect(outcome.problem).not.toMatch(/[\n\r\u2028\u2029]/);
  expect(outcome.problem.length).toBeLessThan(400);
  return outcome.problem;
}

/** A link with a right checksum around any text, made by other means than the encoder's. */
function linkOf(text: string | Buffer): string {
  const payload = deflateRawSync(text).toString("base64url");
  return `#r=1.${crc32(payload).toString(16).padStart(8, "0")}.${payload}`;
}
const textOf = (link: string) => inflateRawSync(Buffer.from(link.split(".")[2]!, "base64url")).toString();

const link = await encodeLink(eventful());
const few = chips.slice(0, 2);

describe("a shared result", () => {
  test.each([
    ["everything in it", eventful()],
    ["a single call", resultOf({ words: "kernel=matmul:512x512x512" })],
    [
      "several models, depths and batches",
      resultOf({ words: "preset=quick model=smollm2-135m,gemma-3-1b depth=0,1024 batch=1,8" }),
    ],
    ["no instruments and no timestamps", { ...resultOf({ words: "dtype=f32" }), instruments: null }],
    [
      "a reason for its end",
      { ...eventful(), completion: { status: "partial" as const, reason: "device lost" } },
    ],
    [
      "a software adapter",
      { ...eventful(), device: { ...eventful().device, software: 'it says "llvmpipe"' } },
    ],
  ])("shows the same headlines with %s", async (_, result) => {
    const shared = await decoded(await encodeLink(result));
    const [seen, here] = [report(shared, few), report(result, few)];
    expect(seen.headlines).toEqual(here.headlines);
    expect(seen.comparisons).toEqual(here.comparisons);
    expect(seen.title).toBe(here.title);
    expect(shared.completion).toEqual(result.completion);
    expect(shared.device.software).toBe(result.device.software);
    expect(shared.workloads).toEqual(result.workloads);
    expect(shared.plan).toEqual(result.plan);
  });

  test("shows the same headlines whatever was measured", async () => {
    const samples = fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(fc.array(samples, { minLength: 1, maxLength: 5 }), async (lists) => {
        const result = resultOf({
          words: "dtype=f32",
          samples: (_call, _dtype, cell) => lists[cell % lists.length]!,
        });
        const shared = await decoded(await encodeLink(result));
        expect(report(shared, []).headlines).toEqual(report(result, []).headlines);
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  test("keeps names that are not ASCII, and text that looks like markup or JSON", async () => {
    const description = 'Größe 显卡 💥 "},{"|<b>\\';
    const shared = await decoded(
      await encodeLink({ ...eventful(), device: { ...eventful().device, description } }),
    );
    expect(shared.device.description).toBe(description);
  });

  test("gives the same link when it is shared again", async () => {
    expect(await encodeLink(await decoded(link))).toBe(link);
  });

  test("is read from a whole address too", async () => {
    expect(await decoded(`https://example.org/tokenroof/?model=llama-3.2-1b${link}`)).toEqual(
      await decoded(link),
    );
  });

  test.each([1, 2, 3, 4, 5])(
    "of the quick preset in both types fits into 2,000 characters, address and all: seed %d",
    async (seed) => {
      const result = untidy("preset=quick", seed);
      expect(result.outcomes.filter(({ status }) => status === "measured")).toHaveLength(28);
      expect(result.reference?.readings).toHaveLength(56);
      expect(result.cacheCurve.length).toBeGreaterThan(8);
      const address = "https://tokenroof.example.org/";
      expect(`${address}${await encodeLink(result)}`.length).toBeLessThanOrEqual(2000);
    },
  );
});

describe("a damaged link is found out", () => {
  const head = link.indexOf(".", 5) + 1;
  const sampled = Array.from({ length: 200 }, (_, i) => head + Math.floor((i * (link.length - head)) / 200));
  const places = [...new Set([...Array.from({ length: head }, (_, i) => i), ...sampled])];

  test("wherever it is cut off", async () => {
    for (const place of places) expect(await problemOf(link.slice(0, place)), `at ${place}`).toMatch(/link/);
  });

  test("wherever it begins too late", async () => {
    for (const place of places.slice(1))
      expect(await problemOf(link.slice(place)), `at ${place}`).toMatch(/link/);
  });

  test.each([..."0A-z."])("whichever character became %j", async (other) => {
    for (const place of places) {
      if (link[place] === other) continue;
      const altered = link.slice(0, place) + other + link.slice(place + 1);
      expect(await problemOf(altered), `at ${place}: ${altered.slice(0, 20)}`).toMatch(/link/);
    }
  });

  test("when neighbouring characters changed places", async () => {
    for (const place of sampled.slice(0, -1)) {
      if (link[place] === link[place + 1]) continue;
      const swapped = link.slice(0, place) + link[place + 1] + link[place] + link.slice(place + 2);
      expect(await problemOf(swapped)).toMatch(/checksum/);
    }
  });
});

describe("a link that is no result is refused in one line", () => {
  test("from a newer version, with what to do about it", async () => {
    expect(await problemOf(link.replace("#r=1.", "#r=2."))).toMatch(/version 2.*newer/);
  });

  test("over 64 KiB", async () => {
    expect(await problemOf(`#r=1.00000000.${"A".repeat(65_536)}`)).toMatch(/64 KiB/);
  });

  test("that inflates past 1 MiB", async () => {
    const bomb = linkOf(`[${" ".repeat(2 ** 21)}]`);
    expect(bomb.length).toBeLessThan(8192);
    expect(await problemOf(bomb)).toMatch(/1 MiB/);
  });

  test("whose phrases stand for more than 1 MiB", async () => {
    expect(await problemOf(linkOf(`["${"\u0001".repeat(500_000)}"]`))).toMatch(/1 MiB/);
  });

  test.each(Array.from({ length: 31 }, (_, i) => i + 1))(
    "that is a long run of the control character %d",
    async (code) => {
      expect(await problemOf(linkOf(`["${String.fromCharCode(code).repeat(500_000)}"]`))).toMatch(/link/);
    },
  );

  test.each([
    "",
    "#",
    "#r=",
    "#r=1",
    "#r=1.",
    "#r=1.00000000.",
    "#r=-1.00000000.AAAA",
    "https://example.org/",
  ])("of too little: %j", async (text) => expect(await problemOf(text)).toMatch(/link/));

  test.each([
    "",
    "null",
    "42",
    '"r"',
    "{}",
    "[]",
    "[[],[],[],[]]",
    "[1,2",
    JSON.stringify(Array(20).fill([])),
  ])("with a right checksum around %j", async (text) =>
    expect(await problemOf(linkOf(text))).toMatch(/link/),
  );

  test("with a right checksum around what is no deflate stream", async () => {
    const payload = "AAAAAAAA";
    const sum = crc32(payload).toString(16).padStart(8, "0");
    expect(await problemOf(`#r=1.${sum}.${payload}`)).toMatch(/link/);
    expect(await problemOf(`#r=1.${crc32("A").toString(16).padStart(8, "0")}.A`)).toMatch(/link/);
  });

  test("with a right checksum around a result that breaks the schema, naming where", async () => {
    const text = textOf(link);
    expect(await decoded(linkOf(text))).toEqual(await decoded(link));
    const tooLong = text.replace("Made-Up GPU 1000", "x".repeat(1000));
    expect(await problemOf(linkOf(tooLong))).toMatch(/device\.description/);
  });

  test.each([
    [
      "a kernel with a name for every call",
      (packed: unknown[]) => [
        ...packed.slice(0, 13),
        [["copy", ...Array(150_000).fill("")]],
        Array(100_000).fill([0]),
      ],
    ],
    [
      "a column for every row",
      (packed: unknown[]) => [
        ...packed.slice(0, 12),
        [[Array(200_000).fill(0), ...Array(100_000).fill([])], []],
        ...packed.slice(13),
      ],
    ],
  ])("made to take minutes: %s", async (_, change) => {
    const made = linkOf(JSON.stringify(change(pack(eventful()))));
    expect(made.length).toBeLessThan(65_536);
    expect(await problemOf(made)).toMatch(/link/);
  });

  test("nested deeper than any result", async () => {
    expect(await problemOf(linkOf("[".repeat(200_000) + "]".repeat(200_000)))).toMatch(/link/);
  });
});

describe("decoding never throws", { timeout: 30_000 }, () => {
  test("at any text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
        expect(await problemOf(text)).toMatch(/link/);
        expect(await problemOf(`#r=1.${text}`)).toMatch(/link/);
      }),
    );
  });

  test("at any JSON or bytes under a right checksum", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.uint8Array({ maxLength: 200 }), async (value, bytes) => {
        expect(await problemOf(linkOf(JSON.stringify(value)))).toMatch(/link/);
        expect(await problemOf(linkOf(Buffer.from(bytes)))).toMatch(/link/);
      }),
    );
  });

  test("at a result with any character changed, and what it lets through can be reported", async () => {
    const text = textOf(link);
    const change = fc.tuple(
      fc.nat(text.length - 1),
      fc.constantFrom(...'0123456789-.,"[]{}abcxyz\u0001\u0012'),
    );
    await fc.assert(
      fc.asyncProperty(change, async ([place, other]) => {
        const outcome = await decodeLink(linkOf(text.slice(0, place) + other + text.slice(place + 1)));
        if (outcome.ok) expect(report(outcome.result, few).title).not.toBe("");
        else expect(outcome.problem).toMatch(/link/);
      }),
      { numRuns: 200 },
    );
  });
});
