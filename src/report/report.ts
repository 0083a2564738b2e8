// Result -> Report: everything a reader sees, as text and plain series, whoever draws it.

import { diagnose } from "../analysis/diagnose";
import { shareOf } from "../analysis/estimate";
import { type WholeModel, wholeModels, wholeOf } from "../analysis/forward";
import { throughputs } from "../analysis/throughput";
import { tokenTime } from "../analysis/token_time";
import { sideBySide, trainedModels } from "../analysis/training";
import type { Chip } from "../chips/chip";
import type { Result } from "../result";
import { byteRate, duration, estimated, flopRate, type ScaleOf, sampled, share, tokenRate } from "../units";
import { besideCharts } from "./beside_charts";
import { cellTable, stateTable } from "./cell_tables";
import { comparison, measuredWorkloads } from "./chip_comparison";
import { deviceName } from "./device_name";
import { forwardCurves } from "./forward_curves";
import { wholeMemoryTable, wholeModelTable } from "./forward_tables";
import { fusionTable } from "./fusion_table";
import { environmentTable, instrumentTable, roofTable, workloadTable } from "./measured_tables";
import { otherModelsTable, ownChecksTable } from "./other_models";
import type { Headline, Report } from "./report_types";
import { rooflines } from "./roofline_chart";
import { breakdownTable, divisionTable, tokenTimeCharts } from "./token_time_tables";
import { sideBySideTable, trainingMemoryTable, trainingPhasesTable } from "./training_tables";
import { type Complete, rateOfInterest } from "./wording";

/** Of a kernel, whose main figure is the rate that binds it: the other one. */
const otherRate = ({ flopsPerSecond, bytesPerSecond }: Complete, scale: ScaleOf): string =>
  scale === flopRate ? estimated(bytesPerSecond, byteRate) : estimated(flopsPerSecond, flopRate);

/** The figures of a workload that was run whole, with the sum of its kernels beside them. */
function wholeHeadline({ workload, dtype, tokensPerSecond }: Complete, whole: WholeModel): Headline {
  const { run, firstToken, perToken, interactive, roof } = whole;
  const isPrefill = workload.phase === "prefill";
  const main = isPrefill ? whole.promptTokensPerSecond : whole.tokensPerSecond;
  const rate = isPrefill ? whole.flopsPerSecond : whole.bytesPerSecond;
  const limit = isPrefill ? roof?.flops : roof?.bandwidth;
  const { steps } = run.decode;
  const cut = isPrefill || steps === run.generate ? "" : ` for ${steps} of its ${run.generate} tokens`;
  const sum =
    tokensPerSecond === undefined ? "" : `; its kernels add up to ${estimated(tokensPerSecond, tokenRate)}`;
  return {
    workload: workload.id,
    ...(workload.model !== undefined && { model: workload.model }),
    phase: workload.phase,
    dtype,
    main: sampled(main, tokenRate),
    mainValue: main.value,
    rate: sampled(rate, isPrefill ? flopRate : byteRate),
    share:
      limit === undefined
        ? "no roof was measured"
        : `${sampled(shareOf(rate, limit), share)} of this device's own ${isPrefill ? "fma" : "read"} roof`,
    whole: `run whole${cut}${sum}`,
    meaning: isPrefill
      ? `the first token of an answer to ${workload.tokens} tokens comes after ${duration(firstToken.measured.value)} (TTFT)`
      : `${duration(perToken.measured.value)} per token of each sequence (TPOT), ${duration(interactive.median)} with each token read back`,
  };
}

function headline(each: Complete, models: readonly WholeModel[]): Headline {
  const whole = wholeOf(each, models);
  if (whole !== undefined) return wholeHeadline(each, whole);
  const { workload, dtype, tokensPerSecond, seconds } = each;
  const { rate, scale, roof, roofName } = rateOfInterest(each);
  const main = tokensPerSecond ?? rate;
  return {
    workload: workload.id,
    ...(workload.model !== undefined && { model: workload.model }),
    phase: workload.phase,
    dtype,
    main: estimated(main, tokensPerSecond === undefined ? scale : tokenRate),
    mainValue: main.value,
    rate: tokensPerSecond === undefined ? otherRate(each, scale) : estimated(rate, scale),
    share:
      roof === undefined
        ? "no roof was measured"
        : `${estimated(shareOf(rate, roof), share)} of this device's own ${roofName}`,
    meaning:
      workload.phase === "prefill"
        ? `a prompt of ${workload.tokens} tokens is read in ${duration(seconds.value)} (TTFT, without a runtime's overhead)`
        : workload.phase === "decode"
          ? `${duration((seconds.value / workload.tokens) * workload.batch)} per token of each sequence (TPOT, without a runtime's overhead)`
          : `${duration(seconds.value)} per call`,
  };
}

/** Everything there is to see in a result. Pure. */
export function report(result: Result, chips: readonly Chip[]): Report {
  const all = throughputs(result);
  const complete = all.filter((each) => each.complete);
  const whole = wholeModels(result, all);
  const times = whole.map((each) => tokenTime(each, result.instruments?.dispatchCost));
  const trained = trainedModels(result);
  const comparisons = measuredWorkloads(complete).map((group) => comparison(result, group, chips));
  return {
    title: deviceName(result),
    subtitle: `${[...new Set(result.workloads.map(({ model, id }) => model ?? id))].join(", ")} · preset ${result.plan.preset} · ${result.createdAt.slice(0, 10)}`,
    software: result.device.software !== null,
    warnings: diagnose(result),
    headlines: complete.map((each) => headline(each, whole)),
    tables: [
      workloadTable(result, all),
      wholeModelTable(result, whole),
      divisionTable(times),
      breakdownTable(whole),
      fusionTable(whole),
      wholeMemoryTable(whole),
      sideBySideTable(result, sideBySide(trained, whole, all)),
      trainingPhasesTable(trained),
      trainingMemoryTable(trained),
      otherModelsTable(result),
      ownChecksTable(result),
      roofTable(result),
      cellTable(result),
      stateTable(result),
      instrumentTable(result),
      environmentTable(result),
    ].filter((table) => table !== undefined),
    comparisons,
    rooflines: rooflines(result, all, chips),
    breakdowns: [...tokenTimeCharts(times), ...besideCharts(whole)],
    curves: forwardCurves(whole),
  };
}
