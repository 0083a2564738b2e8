// What whole models took beside the sum of their kernels and the roofline, as bars side by side.

import type { Compared, WholeModel } from "../analysis/forward";
import { duration, percent, sampled, seconds } from "../units";
import { groupName, head } from "./forward_tables";
import type { Groups, Table } from "./report_types";
import { drawn, texts } from "./wording";

/** One of the two figures of a whole model that something stands beside. */
interface Figure {
  readonly title: string;
  readonly of: (whole: WholeModel) => Compared;
}

const figures: readonly Figure[] = [
  { title: "Time to first token (TTFT)", of: ({ firstToken }) => firstToken },
  { title: "Time per token, free-running (TPOT)", of: ({ perToken }) => perToken },
];

const shareText = (value: number | undefined, { measured }: Compared) =>
  value === undefined ? "" : percent(value / measured.value);

function besideChart({ title, of }: Figure, model: string, whole: readonly WholeModel[]) {
  const all = whole.map(of);
  const { factor, unit } = seconds(Math.max(...all.map(({ measured }) => measured.value)));
  const bounded = all.some(({ kernels, kernelsAtMost }) => kernels !== undefined && kernelsAtMost);
  const series = (
    name: string,
    tone: "own" | "beside" | "one of many",
    value: (each: Compared) => number | undefined,
    source: (each: Compared) => string,
  ): Groups["series"][number] => ({
    name,
    tone,
    values: all.map((each) => {
      const found = value(each);
      return found === undefined ? null : drawn(found / factor);
    }),
    sources: all.map(source),
  });
  const chart: Groups = {
    kind: "groups",
    id: `${title} ${model}`,
    title: `${title}: ${model}`,
    unit,
    stacked: false,
    note: "measured, the sum of its kernels, and the roofline: shorter is better",
    groups: whole.map(({ run }) => groupName(run)),
    series: [
      series(
        "measured",
        "own",
        ({ measured }) => measured.value,
        ({ measured }) => sampled(measured, seconds),
      ),
      series(
        bounded ? "sum of kernels; of several prompts, at most" : "sum of kernels",
        "one of many",
        ({ kernels }) => kernels,
        (each) =>
          each.kernels === undefined
            ? "a kernel has no time"
            : `${each.kernelsAtMost ? "at most " : ""}${duration(each.kernels)}`,
      ),
      series(
        "roofline",
        "beside",
        ({ roofline }) => roofline,
        ({ roofline }) => (roofline === undefined ? "no roof was measured" : duration(roofline)),
      ),
    ],
  };
  const table: Table = {
    title: chart.title,
    columns: [
      "model",
      "run",
      "type",
      "measured",
      "sum of kernels",
      "kernels' share",
      "roofline",
      "of roofline",
    ],
    rows: whole.map((each, i) => {
      const compared = all[i]!;
      const { kernels, kernelsAtMost, roofline, measured } = compared;
      const most = kernelsAtMost && kernels !== undefined ? "≤ " : "";
      return [
        ...head(each.run),
        ...texts(
          sampled(measured, seconds),
          kernels === undefined ? "" : `${most}${duration(kernels)}`,
          `${most}${shareText(kernels, compared)}`,
          roofline === undefined ? "" : duration(roofline),
          shareText(roofline, compared),
        ),
      ];
    }),
  };
  return { chart, table };
}

/** For each model and both its times a chart of all its runs. */
export function besideCharts(whole: readonly WholeModel[]): { chart: Groups; table: Table }[] {
  const models = [...new Set(whole.map(({ run }) => run.model))];
  return models.flatMap((model) => {
    const own = whole.filter(({ run }) => run.model === model);
    return figures.map((figure) => besideChart(figure, model, own));
  });
}
