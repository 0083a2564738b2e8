// Whole models in results: what is accepted, and what is refused with its path.

import { describe, expect, test } from "vitest";
import { forwardCases, forwardName } from "../../src/forward_result";
import { parseResult, SCHEMA } from "../../src/result";
import { forwarded } from "./forward_fixture";
import { type copyOf, eventful } from "./result_fixture";

const json = JSON.stringify(forwarded());

type Copy = ReturnType<typeof copyOf>;

function problemOf(change: (result: Copy) => void): string {
  const result = JSON.parse(json);
  change(result);
  const outcome = parseResult(result);
  return outcome.ok ? "no problem" : outcome.problem;
}

test("comes back from JSON as it was", () => {
  const result = forwarded();
  expect(parseResult(JSON.parse(json))).toEqual({ ok: true, result });
});

test("a result of schema 3 had none", () => {
  const { forwards: _, ...older } = JSON.parse(JSON.stringify(eventful()));
  delete older.plan.forward;
  const parsed = parseResult({ ...older, schema: 3 });
  if (!parsed.ok) throw new Error(parsed.problem);
  expect(parsed.result).toMatchObject({ schema: SCHEMA, forwards: [], plan: { forward: false } });
  expect(parsed.result.outcomes).toEqual(eventful().outcomes);
});

test("of schema 4 stored its KV cache in f16, and in f32 beside such weights", () => {
  const older = JSON.parse(json);
  for (const field of ["kv", "fused"]) delete older.plan[field];
  for (const run of older.forwards) for (const field of ["kv", "fused", "sustained"]) delete run[field];
  const parsed = parseResult({ ...older, schema: 4 });
  if (!parsed.ok) throw new Error(parsed.problem);
  expect(parsed.result).toEqual(forwarded());
  expect(parsed.result.forwards.map(({ dtype, kv }) => `${dtype} ${kv}`)).toEqual([
    "f32 f32",
    "f16 f16",
    "q4_0 f16",
  ]);
});

test("are one for each type of KV cache, and each way to compute", () => {
  const { plan } = forwarded("forward=on dtype=f32,q4_0 kv=auto,f32,q8_0 fused=on,off");
  expect(forwardCases(plan).map(forwardName)).toEqual([
    "llama-3.2-1b pp512+tg128 f32",
    "llama-3.2-1b pp512+tg128 unfused f32",
    "llama-3.2-1b pp512+tg128 kv q8_0 f32",
    "llama-3.2-1b pp512+tg128 kv q8_0 unfused f32",
    "llama-3.2-1b pp512+tg128 q4_0",
    "llama-3.2-1b pp512+tg128 unfused q4_0",
    "llama-3.2-1b pp512+tg128 kv f32 q4_0",
    "llama-3.2-1b pp512+tg128 kv f32 unfused q4_0",
    "llama-3.2-1b pp512+tg128 kv q8_0 q4_0",
    "llama-3.2-1b pp512+tg128 kv q8_0 unfused q4_0",
  ]);
});

describe("what cannot be is refused with its path", () => {
  const first = (change: (run: Copy) => void) => (result: Copy) => change(result.forwards[0]);
  test.each<[path: string, change: (result: Copy) => void]>([
    ["forwards", (result) => (result.forwards = "none")],
    ["forwards", (result) => delete result.forwards],
    ["forwards", (result) => (result.forwards = Array(65).fill(result.forwards[1]))],
    ["forwards.0", (result) => (result.forwards[0] = null)],
    ["forwards.0.status", first((run) => (run.status = "dreamt"))],
    ["forwards.0.dtype", first((run) => (run.dtype = "int1"))],
    ["forwards.0.prompt", first((run) => (run.prompt = 0))],
    ["forwards.0.batch", first((run) => (run.batch = 1e9))],
    ["forwards.0.surprise", first((run) => (run.surprise = 1))],
    ["forwards.0.bytes.cache", first((run) => (run.bytes.cache = -1))],
    ["forwards.0.bytes.matrix", first((run) => (run.bytes.matrix = 1e300))],
    ["forwards.0.prefill.times.seconds", first((run) => (run.prefill.times.seconds = []))],
    ["forwards.0.prefill.times.seconds.1", first((run) => (run.prefill.times.seconds[1] = 0))],
    ["forwards.0.decode.times.seconds", first((run) => (run.decode.times.seconds = Array(5000).fill(1)))],
    ["forwards.0.decode.times.kind", first((run) => (run.decode.times.kind = "guesses"))],
    ["forwards.0.decode.wall", first((run) => (run.decode.wall = null))],
    ["forwards.0.decode.work.flops", first((run) => (run.decode.work.flops = -1))],
    ["forwards.0.breakdown", first((run) => (run.breakdown = Array(65).fill(run.breakdown[0])))],
    ["forwards.0.breakdown.0.seconds", first((run) => (run.breakdown[0].seconds = "long"))],
    ["forwards.0.hidden", first((run) => delete run.hidden)],
    ["forwards.0.kv", first((run) => (run.kv = "f8"))],
    ["forwards.0.fused", first((run) => delete run.fused)],
    [
      "forwards.0.sustained.seconds",
      first((run) => (run.sustained = { seconds: 0, times: run.interactive })),
    ],
    ["forwards.1.reason", (result) => (result.forwards[1].reason = "x".repeat(500))],
    ["plan.forward", (result) => (result.plan.forward = "on")],
  ])("%s", (path, change) => {
    const problem = problemOf(change);
    expect(problem.startsWith(path), problem).toBe(true);
    expect(problem).not.toMatch(/[\n\r\u2028\u2029]/);
  });
});
