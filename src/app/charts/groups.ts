import type { ChartConfiguration } from "chart.js";
import type { Groups } from "../../report/report_types";
import { significant } from "../../units";
import { type Theme, wrapped } from "./theme";

type Series = Groups["series"][number];

/** Colours of series that are one of many, in their order; what there are too few colours for is muted. */
function colourOf(
  series: readonly Series[],
  { accent, muted, series: colours }: Theme,
): (i: number) => string {
  let next = 0;
  const chosen = series.map(({ tone }) => {
    if (tone === "own") return accent;
    return tone === "beside" ? muted : (colours[next++] ?? (next === colours.length + 1 ? accent : muted));
  });
  return (i) => chosen[i] ?? muted;
}

/** How tall a chart has to be for its bars, in pixels. */
export const groupsHeight = ({ groups, series, stacked }: Groups): number =>
  groups.length * (stacked ? 34 : 14 * series.length + 14) + 120;

/** Horizontal bars in groups: one stacked bar for each, or bars side by side. */
export function groupsConfig(
  { groups, series, unit, stacked }: Groups,
  theme: Theme,
  narrow: boolean,
): ChartConfiguration<"bar"> {
  const colour = colourOf(series, theme);
  return {
    type: "bar",
    data: {
      labels: groups.map((name) => (narrow ? wrapped(name, 16) : name)),
      datasets: series.map(({ name, values }, i) => ({
        label: name,
        data: [...values],
        backgroundColor: colour(i),
        // Neighbours in a stack are told apart without their colours too.
        borderColor: theme.paper,
        borderWidth: stacked ? { right: 2 } : 0,
        borderSkipped: false,
        barPercentage: stacked ? 0.75 : 0.9,
        ...(stacked && { stack: "all" }),
      })),
    },
    options: {
      indexAxis: "y",
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      scales: {
        x: {
          stacked,
          min: 0,
          title: { display: true, text: unit, color: theme.ink },
          grid: { color: theme.grid },
          ticks: {
            color: theme.ink,
            maxTicksLimit: narrow ? 4 : 8,
            callback: (value) => significant(Number(value)),
          },
        },
        y: {
          stacked,
          grid: { display: false },
          ticks: { color: theme.ink, autoSkip: false, font: { size: narrow ? 10 : 12 } },
        },
      },
      plugins: {
        legend: {
          position: "bottom",
          labels: {
            color: theme.ink,
            boxWidth: 12,
            boxHeight: 12,
            padding: 10,
            font: { size: narrow ? 10 : 12 },
          },
        },
        tooltip: {
          callbacks: {
            title: ([item]) => groups[item?.dataIndex ?? 0] ?? "",
            label: ({ datasetIndex, dataIndex }) => {
              const found = series[datasetIndex];
              return found === undefined
                ? ""
                : wrapped(`${found.name}: ${found.sources[dataIndex] ?? ""}`, narrow ? 34 : 60);
            },
          },
        },
      },
    },
  };
}
