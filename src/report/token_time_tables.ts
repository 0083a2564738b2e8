// Where a token's time goes, as tables and as stacked bars: by what it is spent on, and kernel by kernel.

import type { WholeModel } from "../analysis/forward";
import { secondsPerLayer, type TimeKind, type TokenTime, timeKinds } from "../analysis/token_time";
import { duration, percent, seconds } from "../units";
import { groupName, head } from "./forward_tables";
import type { Cell, Groups, Table } from "./report_types";
import { drawn, texts } from "./wording";

/** What each kind is called. */
const kindNames: Readonly<Record<TimeKind, string>> = {
  weights: "weights (products)",
  cache: "KV cache",
  attention: "attention",
  other: "other kernels",
  dispatch: "dispatch",
  gaps: "gaps",
  untold: "not told apart",
  "reading back": "reading the token back",
};

/** How the time of a part is known. */
function evidence(time: TokenTime, kind: TimeKind): string {
  const byClock = time.kernels !== undefined;
  const dispatches = `${time.whole.run.decode.dispatches} dispatches at the cost of an empty one`;
  switch (kind) {
    case "weights":
      return byClock ? "kernels timed one by one" : "at least: the bytes at this device's own bandwidth";
    case "cache":
      return byClock
        ? "of attention, what its bytes take at this device's own bandwidth"
        : "at least: the bytes at this device's own bandwidth";
    case "attention":
      return time.cacheTold
        ? "attention beyond that"
        : "attention with its KV cache: no roof was measured that would tell them apart";
    case "other":
      return "norms, rotary embeddings, activations, sampling";
    case "dispatch":
      return byClock ? `${dispatches}; no more than the kernels leave` : dispatches;
    case "gaps":
      return "the step without its kernels and dispatches";
    case "untold":
      return "no GPU timestamps: the wall clock sees whole steps only";
    case "reading back":
      return "on top, where each token is awaited on the CPU: the price of the API";
  }
}

/** What the times of kernels are multiplied by, so that they are no more than the step. */
const factorOf = ({ whole, kernels, scaled }: TokenTime) =>
  scaled && kernels !== undefined ? whole.perToken.measured.value / kernels : 1;

/** The seconds of the kernels of a layer; 0 where no kernel was timed or lies in layers. */
const layerSeconds = (time: TokenTime) =>
  factorOf(time) *
  time.whole.breakdown.reduce((sum, part) => sum + (secondsPerLayer(time.whole, part) ?? 0), 0);

function divisionRows(time: TokenTime): Cell[][] {
  const { whole, parts, kernels, scaled, dispatches } = time;
  const step = whole.perToken.measured.value;
  const row = (...rest: readonly string[]) => [...head(whole.run), ...texts(...rest)];
  const remark = scaled
    ? `kernels timed one by one take ${duration(kernels ?? 0)}: scaled down to the step`
    : "";
  const layer = layerSeconds(time);
  return [
    ...parts.map((part) =>
      row(
        kindNames[part.kind],
        duration(part.seconds),
        percent(part.seconds / step),
        evidence(time, part.kind),
      ),
    ),
    row("a step, free-running", duration(step), percent(1), remark),
    ...(layer === 0
      ? []
      : [
          row(
            `each of ${whole.run.ofLayers} layers`,
            duration(layer),
            percent(layer / step),
            "the mean; its kernels only",
          ),
        ]),
    ...(scaled && dispatches !== undefined
      ? [
          row(
            "dispatches, hidden",
            duration(dispatches),
            percent(dispatches / step),
            `${whole.run.decode.dispatches} of them at the cost of an empty one: they may overlap with kernels`,
          ),
        ]
      : []),
  ];
}

const DIVISION = "Where a token's time goes";

/** Each run's step divided into what it is spent on; undefined where nothing was run whole. `of` is the model, where there is one. */
export function divisionTable(times: readonly TokenTime[], of = ""): Table | undefined {
  if (times.length === 0) return undefined;
  return {
    title: `${DIVISION}${of}`,
    note:
      "A step of decode for all its sequences. Kernels are those of one step with each dispatch in a pass of its own, timed by the GPU; " +
      "what the step takes beyond them is dispatches and gaps. Such passes cost time: where they add up to more than a step, they are scaled down to it, " +
      "and dispatches and gaps cannot be told.",
    columns: ["model", "run", "type", "part", "time", "of the step", "how it is known"],
    rows: times.flatMap(divisionRows),
  };
}

const breakdownRows = (whole: WholeModel): Cell[][] =>
  whole.breakdown.map((part) => {
    const layer = secondsPerLayer(whole, part);
    return [
      ...head(whole.run),
      ...texts(
        part.label,
        part.kernel,
        String(part.count),
        duration(part.seconds),
        percent(part.share),
        layer === undefined ? "" : duration(layer),
        layer === undefined ? "" : percent(part.share / whole.run.ofLayers),
      ),
    ];
  });

/** Where the time of each model's step goes, kernel by kernel; undefined where no GPU clock told. */
export function breakdownTable(whole: readonly WholeModel[], of = ""): Table | undefined {
  const rows = whole.flatMap(breakdownRows);
  if (rows.length === 0) return undefined;
  return {
    title: `${DIVISION}, kernel by kernel${of}`,
    note:
      "One step of decode with each dispatch in a pass of its own, timed by the GPU: passes cost time, so the sum is more than a step takes, and the " +
      "shares, of all kernels together, are what counts. In each layer: the time over the layers, of what every layer has.",
    columns: [
      "model",
      "run",
      "type",
      "part",
      "kernel",
      "calls",
      "time",
      "share",
      "in each layer",
      "layer's share",
    ],
    rows,
  };
}

/** A stacked bar for each run of a model. */
function stack(
  title: string,
  times: readonly TokenTime[],
  series: readonly { readonly name: string; readonly of: (time: TokenTime) => number | undefined }[],
): Groups {
  const totals = times.map(({ parts }) => parts.reduce((sum, part) => sum + part.seconds, 0));
  const { factor, unit } = seconds(Math.max(...totals));
  return {
    kind: "groups",
    id: title,
    title,
    unit: `${unit} per step`,
    stacked: true,
    note: "a step of decode for all its sequences",
    groups: times.map(({ whole }) => groupName(whole.run)),
    series: series.flatMap(({ name, of }) => {
      const found = times.map(of);
      if (found.every((value) => value === undefined)) return [];
      const share = (value: number, i: number) =>
        `${duration(value)}, ${percent(value / times[i]!.whole.perToken.measured.value)} of the free-running step`;
      return [
        {
          name,
          tone: "one of many",
          values: found.map((value) => (value === undefined ? null : drawn(value / factor))),
          sources: found.map((value, i) => (value === undefined ? "" : share(value, i))),
        },
      ];
    }),
  };
}

/** Kernels that have a colour of their own: there are no more colours. */
const MOST_DRAWN = 6;

/** The labels of kernels by how long they take in all these runs. */
function ranked(times: readonly TokenTime[]): string[] {
  const totals = new Map<string, number>();
  for (const { label, share } of times.flatMap(({ whole }) => whole.breakdown))
    totals.set(label, (totals.get(label) ?? 0) + share);
  return [...totals].sort(([, a], [, b]) => b - a).map(([label]) => label);
}

function kernelSeries(times: readonly TokenTime[]) {
  const labels = ranked(times);
  const own = labels.slice(0, labels.length > MOST_DRAWN + 1 ? MOST_DRAWN : MOST_DRAWN + 1);
  const sum = (time: TokenTime, is: (label: string) => boolean): number | undefined => {
    if (time.kernels === undefined) return undefined;
    const all = time.whole.breakdown.filter(({ label }) => is(label));
    return factorOf(time) * all.reduce((total, part) => total + part.seconds, 0);
  };
  const beyond = ({ kernels, parts }: TokenTime) =>
    kernels === undefined
      ? undefined
      : parts
          .filter(({ kind }) => kind === "dispatch" || kind === "gaps")
          .reduce((total, part) => total + part.seconds, 0);
  return [
    ...own.map((name) => ({ name, of: (time: TokenTime) => sum(time, (label) => label === name) })),
    ...(own.length < labels.length
      ? [{ name: kindNames.other, of: (time: TokenTime) => sum(time, (label) => !own.includes(label)) }]
      : []),
    { name: "dispatch and gaps", of: beyond },
  ];
}

/** For each model the steps of its runs, divided by what time is spent on and, where a GPU clock told, kernel by kernel. */
export function tokenTimeCharts(times: readonly TokenTime[]): { chart: Groups; table: Table }[] {
  const models = [...new Set(times.map(({ whole }) => whole.run.model))];
  return models.flatMap((model) => {
    const own = times.filter(({ whole }) => whole.run.model === model);
    const byKind = timeKinds.map((kind) => ({
      name: kindNames[kind],
      of: ({ parts }: TokenTime) => parts.find((part) => part.kind === kind)?.seconds,
    }));
    const [division, kernels] = [
      divisionTable(own, `: ${model}`),
      breakdownTable(
        own.map(({ whole }) => whole),
        `: ${model}`,
      ),
    ];
    const clocked = own.filter((time) => time.kernels !== undefined);
    return [
      ...(division === undefined
        ? []
        : [{ chart: stack(`${DIVISION}: ${model}`, own, byKind), table: division }]),
      ...(kernels === undefined
        ? []
        : [
            {
              chart: stack(`${DIVISION}, kernel by kernel: ${model}`, clocked, kernelSeries(clocked)),
              table: kernels,
            },
          ]),
    ];
  });
}
