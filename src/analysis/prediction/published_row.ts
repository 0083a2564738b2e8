// Rows of published measurements, as tables give them: what was run, and the figure that came of it.

import * as v from "valibot";
import type { Category } from "./calibration";

const amount = v.nullish(v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e9)));
const billions = v.nullish(v.pipe(v.number(), v.finite(), v.gtValue(0), v.maxValue(100_000)));
const text = v.pipe(v.string(), v.maxLength(500));

/** A row of calibration/published.json. What a prediction does not need is left as it is. */
export const publishedRowSchema = v.looseObject({
  id: v.pipe(text, v.nonEmpty()),
  chipId: text,
  /** Chips that worked together; null where nobody says. */
  chips: v.nullish(v.pipe(v.number(), v.minValue(1), v.maxValue(100_000))),
  model: text,
  paramsB: billions,
  activeParamsB: billions,
  weightDtype: v.nullish(text),
  promptTokens: amount,
  outputTokens: amount,
  batchOrConcurrency: amount,
  /** "prefill", "decode" or "end-to-end". */
  phase: text,
  /** "tokens/s", "tokens/s/user", "ttft_ms" or "tpot_ms". */
  metric: text,
  value: v.nullish(v.number()),
  software: v.nullish(text),
  system: v.nullish(text),
  regime: v.nullish(text),
  date: v.nullish(text),
});
export type PublishedRow = v.InferOutput<typeof publishedRowSchema>;

/** What a row's figure is of: reading prompts, one step of decoding, or whole requests. */
export type Subject = "prompt" | "step" | "served";

/** Undefined where phase and metric are none that the model knows. */
export function subjectOf({ phase, metric }: PublishedRow): Subject | undefined {
  if (metric === "ttft_ms") return "prompt";
  if (metric === "tpot_ms") return "step";
  if (metric !== "tokens/s" && metric !== "tokens/s/user") return undefined;
  if (phase === "prefill") return "prompt";
  if (phase === "decode") return "step";
  return phase === "end-to-end" ? "served" : undefined;
}

/** Whole requests and many sequences at once are served; one sequence is decoded, one prompt is read. */
export function categoryOf(row: PublishedRow): Category {
  const batched = (row.batchOrConcurrency ?? 1) > 1 || /batched|per-user/.test(row.regime ?? "");
  const subject = subjectOf(row);
  if (batched || subject === "served") return "serving";
  return subject === "prompt" ? "prefill" : "decode";
}

/** Scenarios of MLPerf Inference, and runs that measure throughput alone: servers deliver less under limits on latency. */
export function scenarioOf({ software }: PublishedRow): string {
  const scenario = /(Offline|Server|Interactive) scenario/.exec(software ?? "")?.[1];
  if (scenario !== undefined) return scenario;
  return /trtllm-bench/.test(software ?? "") ? "throughput" : "none";
}

/** MLPerf's submissions run as many copies of the model as fit, each on as few chips as hold it. */
export const runsReplicas = (row: PublishedRow): boolean =>
  ["Offline", "Server", "Interactive"].includes(scenarioOf(row));

/** Runtimes of 2025 and later are another generation: graphs of launches, fused attention. */
export const eraOf = ({ date }: PublishedRow): "before 2025" | "since 2025" =>
  (date ?? "2025") < "2025" ? "before 2025" : "since 2025";

/** A card on a Raspberry Pi launches its kernels from a much slower core. */
export const hostOf = ({ system }: PublishedRow): "usual" | "slow" =>
  /\bPi \d/.test(system ?? "") ? "slow" : "usual";
