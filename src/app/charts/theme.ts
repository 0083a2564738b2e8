/** Colours of the style sheet, as a canvas needs them. */
export interface Theme {
  readonly ink: string;
  /** Of text on the accent. */
  readonly onAccent: string;
  readonly grid: string;
  /** What charts are drawn on. */
  readonly paper: string;
  readonly accent: string;
  readonly muted: string;
  readonly series: readonly string[];
}

export function themeOf(element: Element): Theme {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: colour("--ink-soft"),
    onAccent: colour("--accent-ink"),
    grid: colour("--line"),
    paper: colour("--card"),
    accent: colour("--accent"),
    muted: colour("--bar"),
    series: [1, 2, 3, 4, 5, 6].map((number) => colour(`--series-${number}`)),
  };
}

/** Breaks a long source into tooltip lines. */
export function wrapped(text: string, width = 60): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length >= width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].slice(0, 12);
}

/** What tells one series from the others. */
export interface SeriesStyle {
  readonly colour: string;
  readonly dash: readonly number[];
  readonly marker: "circle" | "triangle" | "rect" | "rectRot";
}

const dashes = [[], [8, 4], [2, 3]] as const;
const markers = ["circle", "triangle", "rect", "rectRot"] as const;

/** The style of the n-th reference series; of one's own device without a number. Colours repeat, dashes then differ. */
export function seriesStyle({ accent, ink, series }: Theme, n: number | undefined): SeriesStyle {
  if (n === undefined) return { colour: accent, dash: [], marker: "circle" };
  const round = Math.floor(n / series.length);
  return {
    colour: series[n % series.length] ?? ink,
    dash: dashes[round % dashes.length] ?? [],
    marker: markers[n % markers.length] ?? "circle",
  };
}
