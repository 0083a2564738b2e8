import { expect, test } from "vitest";
import { chip } from "../../src/chips";
import { parseChip } from "../../src/chips/user_chip";

const h100 = chip("h100-sxm")!;
const problem = (input: unknown) => {
  const outcome = parseChip(input);
  return outcome.ok ? "" : outcome.problem;
};
const fp16 = h100.peakFlops.fp16!;

test("a chip of one's own is read like the ones here", () => {
  expect(parseChip(JSON.parse(JSON.stringify(h100)))).toEqual({ ok: true, chip: h100 });
});

test.each([
  [{ ...h100, unit: undefined }, "unit: "],
  [{ ...h100, cores: 3 }, "cores: "],
  [{ ...h100, peakFlops: { fp16Sparse: fp16 } }, "peakFlops.fp16Sparse: "],
  [
    { ...h100, peakFlops: { fp16: { ...fp16, quote: "1979 TFLOPS with sparsity", kind: "press" } } },
    "peakFlops.fp16: its quote speaks of sparsity",
  ],
  [
    { ...h100, peakFlops: { fp16: { ...fp16, value: 989 } } },
    "peakFlops.fp16.value: 989 FLOP/s; write base units",
  ],
  [
    { ...h100, memory: { bandwidth: { ...fp16, value: 3350 } } },
    "memory.bandwidth.value: 3350 B/s; write base units",
  ],
  [
    { ...h100, memory: { capacity: { ...fp16, value: 80 } } },
    "memory.capacity.value: 80 B; write base units",
  ],
  [{ ...h100, memory: { bandwidth: { ...fp16, value: -1 } } }, "memory.bandwidth.value: "],
  [
    { ...h100, memory: { bandwidth: { ...fp16, source: "http://example.com" } } },
    "memory.bandwidth.source: ",
  ],
  [[], "Invalid"],
  [null, "Invalid type"],
])("what is wrong is said with its place (%#)", (input, expected) => {
  expect(problem(input)).toContain(expected);
});
