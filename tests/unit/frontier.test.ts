import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchSpeed, batches, frontier } from "../../src/analysis/frontier";
import { exactly } from "../../src/analysis/interval";

const speed = (tpot: number, tokensPerSecond: number): BatchSpeed => ({
  tpot: exactly(tpot),
  tokensPerSecond: exactly(tokensPerSecond),
});

test("batches are the powers of two up to 1,024", () =>
  expect(batches).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]));

test("a memory-bound chip gains throughput until it is compute-bound; then larger batches only wait", () => {
  // 10 ms for the weights, 0.1 ms of arithmetic per sequence: the ridge is at 100. Above 500, memory is full.
  const of = (batch: number) => {
    if (batch > 500) return undefined;
    const tpot = Math.max(0.01, 0.0001 * batch);
    return speed(tpot, batch / tpot);
  };
  const { points, pareto } = frontier(batches, of);
  expect(points.map(({ batch }) => batch)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256]);
  // Up to the ridge each larger batch is as quick and gives more; 128 gives most, 256 no more and later.
  expect(pareto.map(({ batch }) => batch)).toEqual([64, 128]);
  expect(pareto[1]?.tokensPerSecond.value).toBeCloseTo(10_000, 6);
});

test("nothing fits, nothing is on it", () =>
  expect(frontier(batches, () => undefined)).toEqual({ points: [], pareto: [] }));

test("no point of it is beaten, and every other point is", () => {
  const speeds = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(speeds, (list) => {
      const { points, pareto } = frontier([...list.keys()], (i) => speed(...list[i]!));
      const beats = (a: BatchSpeed, b: BatchSpeed) =>
        a.tpot.value <= b.tpot.value &&
        a.tokensPerSecond.value >= b.tokensPerSecond.value &&
        (a.tpot.value !== b.tpot.value || a.tokensPerSecond.value !== b.tokensPerSecond.value);
      expect(pareto.length).toBeGreaterThan(0);
      for (const point of points)
        expect(pareto.includes(point)).toBe(!pareto.some((other) => beats(other, point)));
    }),
  );
});
