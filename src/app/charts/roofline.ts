import type { ChartConfiguration, ChartDataset } from "chart.js";
import type { Roofline } from "../../report/report_types";
import { scaled, significant } from "../../units";
import { seriesStyle, type Theme, wrapped } from "./theme";

type Roof = Roofline["roofs"][number];

const markers = { prefill: "circle", decode: "triangle", kernel: "rect" } as const;

/** A roof is the bandwidth's slope up to the ridge point and the compute peak from there on. */
function roofLine(
  { name, flops, bandwidth, own }: Roof,
  colour: string,
  from: number,
  to: number,
): ChartDataset<"scatter"> {
  const ridge = flops / bandwidth;
  return {
    label: name,
    data: [
      { x: from, y: from * bandwidth },
      {
        x: Math.max(from, Math.min(ridge, to)),
        y: Math.min(flops, Math.max(from, Math.min(ridge, to)) * bandwidth),
      },
      { x: to, y: Math.min(flops, to * bandwidth) },
    ],
    showLine: true,
    pointStyle: "line",
    pointRadius: 0,
    pointHitRadius: 6,
    borderColor: colour,
    borderWidth: own ? 3 : 1.5,
    borderDash: own ? [] : [6, 4],
  };
}

/** Log-log: FLOP/s over FLOP/byte, the measured steps under the device's own roof and those of chips. */
export function rooflineConfig(
  { roofs, points, evidence }: Roofline,
  theme: Theme,
  narrow: boolean,
): ChartConfiguration<"scatter"> {
  const from = 0.1;
  const to = 10 ** Math.ceil(Math.log10(Math.max(1000, ...points.map(({ intensity }) => intensity))));
  let references = 0;
  const colours = new Map(
    roofs.map(({ name, own }) => [name, seriesStyle(theme, own ? undefined : references++).colour]),
  );
  const lines = roofs.map((roof) => roofLine(roof, colours.get(roof.name) ?? theme.ink, from, to));
  const colourOf = (under: string | undefined) => colours.get(under ?? "") ?? theme.accent;
  const phases = [...new Set(points.map(({ phase }) => phase))];
  const pointNames = phases.map((phase) => points.filter((point) => point.phase === phase));
  const marked = phases.map(
    (phase, i): ChartDataset<"scatter"> => ({
      label: `${phase}, ${evidence}`,
      data: pointNames[i]!.map(({ intensity, flops }) => ({ x: intensity, y: flops })),
      pointStyle: markers[phase],
      pointRadius: 6,
      backgroundColor: pointNames[i]!.map(({ under }) => colourOf(under)),
      borderColor: theme.ink,
    }),
  );
  return {
    type: "scatter",
    data: { datasets: [...marked, ...lines] },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      scales: {
        x: {
          type: "logarithmic",
          min: from,
          max: to,
          title: { display: true, text: "arithmetic intensity, FLOP/byte", color: theme.ink },
          grid: { color: theme.grid },
          ticks: {
            color: theme.ink,
            maxTicksLimit: narrow ? 5 : 9,
            callback: (value) => significant(Number(value)),
          },
        },
        y: {
          type: "logarithmic",
          title: { display: !narrow, text: "FLOP/s", color: theme.ink },
          grid: { color: theme.grid },
          ticks: { color: theme.ink, maxTicksLimit: 9, callback: (value) => scaled(Number(value), "") },
        },
      },
      plugins: {
        legend: {
          position: "bottom",
          labels: { color: theme.ink, usePointStyle: true, boxWidth: 8, font: { size: narrow ? 10 : 12 } },
        },
        tooltip: {
          callbacks: {
            label({ datasetIndex, dataIndex, parsed }) {
              const point = pointNames[datasetIndex]?.[dataIndex];
              if (point !== undefined) {
                return [
                  point.name,
                  `${scaled(parsed.y ?? 0, "FLOP/s")} at ${significant(parsed.x ?? 0)} FLOP/byte`,
                ];
              }
              const roof = roofs[datasetIndex - marked.length];
              return roof === undefined ? "" : [roof.name, ...wrapped(roof.source, narrow ? 34 : 60)];
            },
          },
        },
      },
    },
  };
}
