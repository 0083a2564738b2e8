/** Colours of the style sheet, as a canvas needs them. */
export interface Theme {
  readonly ink: string;
  readonly grid: string;
  readonly accent: string;
  readonly muted: string;
  readonly series: readonly string[];
}

export function themeOf(element: Element): Theme {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: colour("--ink-soft"),
    grid: colour("--line"),
    accent: colour("--accent"),
    muted: colour("--bar"),
    series: [1, 2, 3, 4, 5].map((number) => colour(`--series-${number}`)),
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
