// A comparison as tables: who is how fast against our own kernels, and who is wrong.

import type { Cell, Report, Table } from "../report/report_types";
import { median } from "../statistics";
import { byteRate, duration, flopRate, percent, significant, written } from "../units";
import {
  type Comparison,
  comparisonsOf,
  type Entry,
  fastest,
  isTimed,
  type Outcome,
  type PeersResult,
  type TaskResult,
  type Timed,
} from "./peers_result";
import { type Ratio, ratioOf } from "./rounds";

const NONE = "—";

const cell = (text: string, title?: string): Cell => ({ text, title });

const rateOf = ({ rate, work }: Pick<TaskResult, "rate" | "work">, seconds: number) =>
  written(work[rate] / seconds, rate === "flops" ? flopRate : byteRate);

const ratioText = ({ value, low, high }: Ratio) =>
  `${significant(value)}x (${significant(low)} … ${significant(high)})`;

/** Why a way has no time, in a few words. */
function withoutTime(outcome: Outcome): string {
  if (outcome.status === "failed") return `failed: ${outcome.reason}`;
  if (outcome.status !== "wrong") return NONE;
  const { error, wrong } = outcome.check;
  return error === null ? `wrong: ${wrong}` : `wrong: off by ${significant(error)} of its magnitude`;
}

const timeText = (task: TaskResult, { outcome }: Timed) => {
  const seconds = median(outcome.samples);
  return `${duration(seconds)}, ${rateOf(task, seconds)}`;
};

/** A peer's time and its ratio to our own; undefined where there is none. */
function comparedText(task: TaskResult, { runtime, variant, outcome }: Timed): string | undefined {
  const compared = comparisonsOf(task).find((each) => each.runtime === runtime && each.variant === variant);
  return compared && `${duration(median(outcome.samples))}, ${ratioText(compared.ratio)}`;
}

function ownCell(task: TaskResult): Cell {
  const { own } = task;
  if (isTimed(own)) return cell(timeText(task, own), own.variant);
  return cell(withoutTime(own.outcome));
}

/** A runtime's fastest right way; where it has none, what is wrong with its first. */
function peerCell(task: TaskResult, runtime: string): Cell {
  const best = fastest(task.peers, runtime);
  if (best === undefined) {
    const [first] = task.peers.filter((entry) => entry.runtime === runtime);
    return cell(first === undefined ? NONE : withoutTime(first.outcome));
  }
  const compared = comparedText(task, best);
  return cell(compared ?? timeText(task, best), best.variant);
}

const bestText = ([best]: readonly Comparison[]) =>
  best === undefined ? NONE : `${best.runtime} ${significant(best.ratio.value)}x`;

const summary = ({ tasks, runtimes }: PeersResult): Table => ({
  title: "Peers",
  note: "A peer's time with its ratio to our own: above 1 the peer is slower. In brackets the 95 % interval of the median of the rounds' ratios.",
  columns: [
    "work",
    "Tokenroof",
    ...runtimes.map(({ name, version }) => `${name} ${version}`),
    "fastest peer",
  ],
  rows: tasks.map((task) => [
    cell(task.title),
    ownCell(task),
    ...runtimes.map(({ name }) => peerCell(task, name)),
    cell(bestText(comparisonsOf(task))),
  ]),
});

function remark({ outcome }: Entry): string {
  if (outcome.status === "timed") return "";
  if (outcome.status === "outdone") return `not in the rounds: ${outcome.by} is much faster`;
  if (outcome.status === "wrong") return `wrong: ${outcome.check.wrong}`;
  return outcome.reason;
}

function wayRow(task: TaskResult, entry: Entry): Cell[] {
  const { runtime, variant, arithmetic, outcome } = entry;
  const check = "check" in outcome ? outcome.check : undefined;
  const time = isTimed(entry)
    ? (comparedText(task, entry) ?? duration(median(entry.outcome.samples)))
    : outcome.status === "outdone"
      ? `about ${duration(outcome.seconds)}`
      : NONE;
  const error = check?.error ?? undefined;
  return [
    cell(task.title),
    cell(runtime),
    cell(variant),
    cell(arithmetic),
    cell(time),
    cell(error === undefined ? NONE : `${error.toExponential(1)} of ${check?.tolerance.toExponential(1)}`),
    cell(remark(entry)),
  ];
}

const ways = ({ tasks }: PeersResult): Table => ({
  title: "Every way that was tried",
  note: "Each answer is compared with a float64 reference before it is timed, and once more afterwards. Errors are relative to the sum of the absolute terms, with the largest that rounding explains.",
  columns: ["work", "runtime", "way", "computes in", "time", "error of allowed", "remark"],
  rows: tasks.flatMap((task) =>
    [task.own, ...task.peers]
      .filter(({ outcome }) => outcome.status !== "unavailable")
      .map((entry) => wayRow(task, entry)),
  ),
});

const probes = ({ shares }: PeersResult): Table => ({
  title: "Our own kernels beside the probes",
  note: "In the same rounds, with weights rotated past the caches: arithmetic as a share of the fma probe, memory traffic as a share of the read probe.",
  columns: ["work", "rate", "probe", "its rate", "share"],
  rows: shares.map(({ title, probe, kernelRates, probeRates }) => {
    const scale = probe === "fma" ? flopRate : byteRate;
    const { value, low, high } = ratioOf(kernelRates, probeRates);
    return [
      cell(title),
      cell(written(median(kernelRates), scale)),
      cell(probe),
      cell(written(median(probeRates), scale)),
      cell(`${percent(value)} (${percent(low)} … ${percent(high)})`),
    ];
  }),
});

/** What there is to read about a comparison. */
export function peersReport(result: PeersResult): Report {
  const { tool, agent, device, rounds, shares, shareProblems } = result;
  const name = device.description || [device.vendor, device.architecture].filter(Boolean).join(" ");
  return {
    title: "Tokenroof and its peers",
    subtitle: `${name || "unnamed adapter"} · ${agent} · ${rounds} rounds · Tokenroof ${tool.version} (${tool.commit})`,
    software: device.software !== null,
    warnings: [
      ...(device.software === null ? [] : [`Measured on a CPU, by a software adapter: ${device.software}.`]),
      "Everybody runs on one GPUDevice, one after another in every round, timed by the wall clock: what a runtime spends on a call is part of its time.",
      ...shareProblems.map((problem) => `No share of the probes: ${problem}`),
    ],
    headlines: [],
    tables: [summary(result), ways(result), ...(shares.length > 0 ? [probes(result)] : [])],
    comparisons: [],
    rooflines: [],
  };
}
