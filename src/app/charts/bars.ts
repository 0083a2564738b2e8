import type { ChartConfiguration, Plugin } from "chart.js";
import type { Bars } from "../../report/report_types";
import { significant } from "../../units";
import { type Theme, wrapped } from "./theme";

/** Writes each bar's value at its end, or inside it where the chart ends, so that nobody has to hover. */
const valuesAtEnds = (bars: Bars["bars"], { ink, onAccent }: Theme): Plugin<"bar"> => ({
  id: "values-at-ends",
  afterDatasetsDraw(chart) {
    const { ctx, chartArea, data } = chart;
    ctx.save();
    ctx.font = "11px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    chart.getDatasetMeta(0).data.forEach(({ x, y }, i) => {
      const text = significant(Number(data.datasets[0]?.data[i]));
      const outside = x + 6 + ctx.measureText(text).width <= chartArea.right;
      ctx.textAlign = outside ? "left" : "right";
      ctx.fillStyle = !outside && bars[i]?.own === true ? onAccent : ink;
      ctx.fillText(text, outside ? x + 6 : x - 6, y);
    });
    ctx.restore();
  },
});

/** Horizontal bars; those that were measured in the accent colour. */
export function barsConfig(
  { bars, unit, scale }: Bars,
  theme: Theme,
  narrow: boolean,
): ChartConfiguration<"bar"> {
  const lowest = Math.min(...bars.map(({ value }) => value));
  return {
    type: "bar",
    plugins: [valuesAtEnds(bars, theme)],
    data: {
      labels: bars.map(({ name }) => (narrow && name.length > 22 ? `${name.slice(0, 21)}…` : name)),
      datasets: [
        {
          data: bars.map(({ value }) => value),
          backgroundColor: bars.map(({ own }) => (own ? theme.accent : theme.muted)),
          borderRadius: 3,
          barPercentage: 0.8,
        },
      ],
    },
    options: {
      indexAxis: "y",
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      scales: {
        x: {
          type: scale,
          min: scale === "linear" ? 0 : 10 ** Math.floor(Math.log10(lowest) - 0.2),
          title: {
            display: true,
            text: scale === "linear" ? unit : `${unit}, logarithmic`,
            color: theme.ink,
          },
          grid: { color: theme.grid },
          ticks: {
            color: theme.ink,
            maxTicksLimit: narrow ? 4 : 8,
            callback: (value) => significant(Number(value)),
          },
        },
        y: {
          grid: { display: false },
          ticks: { color: theme.ink, autoSkip: false, font: { size: narrow ? 10 : 12 } },
        },
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          callbacks: {
            title: ([item]) => bars[item?.dataIndex ?? 0]?.name ?? "",
            label: ({ dataIndex }) => wrapped(bars[dataIndex]?.source ?? "", narrow ? 34 : 60),
          },
        },
      },
    },
  };
}
