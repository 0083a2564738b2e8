// Result -> Report: everything a reader sees, as text and plain series, whoever draws it.

import { diagnose } from "../analysis/diagnose";
import { shareOf } from "../analysis/estimate";
import { throughputs } from "../analysis/throughput";
import type { Chip } from "../chips/chip";
import type { Result } from "../result";
import { byteRate, duration, estimated, flopRate, type ScaleOf, share, tokenRate } from "../units";
import { cellTable, stateTable } from "./cell_tables";
import { comparison, measuredWorkloads } from "./chip_comparison";
import { deviceName } from "./device_name";
import { environmentTable, instrumentTable, roofTable, workloadTable } from "./measured_tables";
import { otherModelsTable, ownChecksTable } from "./other_models";
import type { Headline, Report } from "./report_types";
import { rooflines } from "./roofline_chart";
import { type Complete, rateOfInterest } from "./wording";

/** Of a kernel, whose main figure is the rate that binds it: the other one. */
const otherRate = ({ flopsPerSecond, bytesPerSecond }: Complete, scale: ScaleOf): string =>
  scale === flopRate ? estimated(bytesPerSecond, byteRate) : estimated(flopsPerSecond, flopRate);

function headline(each: Complete): Headline {
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
  const comparisons = measuredWorkloads(complete).map((group) => comparison(result, group, chips));
  return {
    title: deviceName(result),
    subtitle: `${[...new Set(result.workloads.map(({ model, id }) => model ?? id))].join(", ")} · preset ${result.plan.preset} · ${result.createdAt.slice(0, 10)}`,
    software: result.device.software !== null,
    warnings: diagnose(result),
    headlines: complete.map(headline),
    tables: [
      workloadTable(result, all),
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
  };
}
