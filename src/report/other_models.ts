// What was measured, turned into what was not: other models on this device, and how far off such predictions are.

import type { Estimate } from "../analysis/estimate";
import { otherModelIds, ownChecks, predictOwn } from "../analysis/own_chip";
import { architecture } from "../analysis/prediction/architecture";
import { weightBytesOf } from "../analysis/prediction/setting";
import { weightFormat } from "../analysis/prediction/weight_format";
import type { Result } from "../result";
import { estimated, memory, percent, tokenRate } from "../units";
import type { Table } from "./report_types";
import { cell } from "./wording";

const PROMPT = 512;
const OUTPUT = 128;
const LONG = 8192;

/** Models that were not run, in every type that was; undefined where too little was measured to say. */
export function otherModelsTable(result: Result): Table | undefined {
  const others = otherModelIds(result);
  const rows = result.plan.dtype.flatMap((dtype) =>
    others.flatMap((id) => {
      const [model, weights] = [architecture(id), weightFormat(dtype)];
      if (model === undefined || weights === undefined) return [];
      const at = (prompt: number) => predictOwn(result, { model, weights, prompt, output: OUTPUT, batch: 1 });
      const [short, long] = [at(PROMPT), at(LONG)];
      if (short.status !== "predicted") return [];
      const rate = (of: Estimate | undefined) => cell(of === undefined ? "" : estimated(of, tokenRate));
      return [
        [
          cell(id),
          cell(dtype),
          rate(short.prefill?.tokensPerSecond),
          rate(short.decode.tokensPerSecond),
          rate(long.status === "predicted" ? long.decode.tokensPerSecond : undefined),
          cell(memory(weightBytesOf({ architecture: model, weights, cacheBytes: 2 }))),
        ],
      ];
    }),
  );
  if (rows.length === 0) return undefined;
  return {
    title: "Other models on this device",
    note:
      "Predicted from the calls that were measured, not run: the same kernels at the rates that they reached here, and the dispatches " +
      "between them. In brackets the interval of 90 %. Taken to fit into memory, which WebGPU does not tell.",
    columns: [
      "model",
      "type",
      `prefill, ${PROMPT} tokens`,
      "decode",
      `decode after ${LONG} tokens`,
      "weights",
    ],
    rows,
  };
}

/** Each model beside what the others say of it; undefined where only one was measured. */
export function ownChecksTable(result: Result): Table | undefined {
  const checks = ownChecks(result);
  if (checks.length === 0) return undefined;
  return {
    title: "Predicted from the other models, and measured",
    note: "Each model as the calls of the other ones predict it: how far the predictions for models that were not run are off.",
    columns: ["model", "workload", "type", "predicted tokens/s", "measured tokens/s", "predicted / measured"],
    rows: checks.map(({ workload, dtype, measured, predicted }) => [
      cell(workload.model ?? ""),
      cell(workload.id),
      cell(dtype),
      cell(estimated(predicted, tokenRate)),
      cell(estimated(measured, tokenRate)),
      cell(percent(predicted.value / measured.value)),
    ]),
  };
}
