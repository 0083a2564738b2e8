// Where the figures of reference chips come from, in words.

import { chipRoof } from "../analysis/roofline";
import type { Chip, Figure } from "../chips/chip";
import type { Outcome } from "../result";
import { byteRate, flopRate, written } from "../units";
import type { Cell } from "./report_types";

const cite = (figure: Figure): string => `${figure.kind}: ${figure.source || "derived"} “${figure.quote}”`;

/** A figure that leads to its source. */
export const linked = (text: string, figure: Figure): Cell => ({
  text,
  title: cite(figure),
  ...(figure.source !== "" && { href: figure.source }),
});

/** "989 TFLOP/s fp16, …; 3.35 TB/s, …" with sources. */
export function chipSource(chip: Chip, dtype: Outcome["dtype"]): string {
  const roof = chipRoof(chip, dtype);
  if (!roof.known) return roof.missing;
  const [peak, bandwidth] = roof.figures;
  return `${written(peak.value, flopRate)} dense ${roof.format} (${cite(peak)}); ${written(bandwidth.value, byteRate)} (${cite(bandwidth)})`;
}
