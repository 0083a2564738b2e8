import type { ChartConfiguration, ChartDataset } from "chart.js";
import type { Lines } from "../../report/report_types";
import { significant } from "../../units";
import { seriesStyle, type Theme } from "./theme";

/** Log-log curves through points, each with its label in the tooltip. */
export function linesConfig(
  { lines, x, y }: Lines,
  theme: Theme,
  narrow: boolean,
): ChartConfiguration<"scatter"> {
  let references = 0;
  const datasets = lines.map(({ name, own, points }): ChartDataset<"scatter"> => {
    const style = seriesStyle(theme, own ? undefined : references++);
    return {
      label: name,
      data: points.map((point) => ({ x: point.x, y: point.y })),
      showLine: true,
      pointRadius: 4,
      pointHoverRadius: 7,
      pointHitRadius: 8,
      pointStyle: style.marker,
      backgroundColor: style.colour,
      borderColor: style.colour,
      borderDash: [...style.dash],
      borderWidth: own ? 3 : 2,
    };
  });
  const axis = (title: string, shown: boolean, ticks: number) => ({
    type: "logarithmic" as const,
    title: { display: shown, text: title, color: theme.ink },
    grid: { color: theme.grid },
    ticks: {
      color: theme.ink,
      maxTicksLimit: ticks,
      callback: (value: string | number) => significant(Number(value)),
    },
  });
  return {
    type: "scatter",
    data: { datasets },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      scales: { x: axis(x, true, narrow ? 5 : 9), y: axis(y, !narrow, 9) },
      plugins: {
        legend: {
          position: "bottom",
          labels: {
            color: theme.ink,
            usePointStyle: true,
            boxWidth: 8,
            boxHeight: 6,
            padding: 14,
            font: { size: narrow ? 10 : 12 },
          },
        },
        tooltip: {
          callbacks: {
            label: ({ datasetIndex, dataIndex }) => {
              const line = lines[datasetIndex];
              return line === undefined ? "" : [line.name, line.points[dataIndex]?.label ?? ""];
            },
          },
        },
      },
    },
  };
}
