import type { ChartConfiguration, ChartDataset, Plugin } from "chart.js";
import type { Lines } from "../../report/report_types";
import { significant } from "../../units";
import { seriesStyle, type Theme } from "./theme";

/** Half the width of an interval's ends, in pixels. */
const SERIF = 4;

/** Draws the interval of each point that has one, and its short name beside it. */
const intervalsAndMarks = (lines: Lines["lines"], { ink }: Theme): Plugin<"scatter"> => ({
  id: "intervals-and-marks",
  afterDatasetsDraw(chart) {
    const { ctx, scales, data } = chart;
    const vertical = scales.y;
    if (vertical === undefined) return;
    ctx.save();
    ctx.font = "11px system-ui, sans-serif";
    lines.forEach(({ points }, line) => {
      // Above one line and below the next: neighbours' names do not lie on each other.
      const below = line % 2 === 1;
      ctx.textBaseline = below ? "top" : "bottom";
      ctx.strokeStyle = String(data.datasets[line]?.borderColor ?? ink);
      ctx.lineWidth = 1.5;
      chart.getDatasetMeta(line).data.forEach(({ x, y }, i) => {
        const { low, high, mark } = points[i] ?? {};
        if (low !== undefined && high !== undefined && high > low) {
          const [bottom, top] = [vertical.getPixelForValue(low), vertical.getPixelForValue(high)];
          ctx.beginPath();
          ctx.moveTo(x, bottom);
          ctx.lineTo(x, top);
          for (const end of [bottom, top]) {
            ctx.moveTo(x - SERIF, end);
            ctx.lineTo(x + SERIF, end);
          }
          ctx.stroke();
        }
        if (mark === undefined) return;
        const fits = x + 8 + ctx.measureText(mark).width <= chart.chartArea.right;
        ctx.textAlign = fits ? "left" : "right";
        ctx.fillStyle = ink;
        ctx.fillText(mark, fits ? x + 8 : x - 8, below ? y + 5 : y - 5);
      });
    });
    ctx.restore();
  },
});

/** Curves through points, each with its label in the tooltip. */
export function linesConfig(
  { lines, x, y, scale = "logarithmic" }: Lines,
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
      // A point on an axis is drawn whole.
      clip: false,
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
    type: scale,
    ...(scale === "linear" && { min: 0 }),
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
    plugins: [intervalsAndMarks(lines, theme)],
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
