// Numbers to text. The only place that scales a number; everything else computes in base units.

const PREFIXES = [
  [1e18, "E"],
  [1e15, "P"],
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
  [1, ""],
] as const;

/** Three significant digits without an exponent: 12300 -> "12,300", 0.01234 -> "0.0123". */
export function significant(value: number): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
  return rounded.toLocaleString("en-US", {
    minimumFractionDigits: Math.min(digits, 12),
    maximumFractionDigits: Math.min(digits, 12),
  });
}

/** With an SI prefix: 8.25e9, "FLOP/s" -> "8.25 GFLOP/s". */
export function scaled(value: number, unit: string): string {
  const [factor, prefix] = PREFIXES.find(([size]) => Math.abs(value) >= size) ?? [1, ""];
  return `${significant(value / factor)} ${prefix}${unit}`;
}

/** Tokens per second, unscaled: people compare these across machines. */
export const tokenRate = (value: number): string => `${significant(value)} tokens/s`;

/** Memory in the powers of two that GPUs count in. */
export function memory(bytes: number): string {
  if (bytes >= 2 ** 30) return `${significant(bytes / 2 ** 30)} GiB`;
  if (bytes >= 2 ** 20) return `${significant(bytes / 2 ** 20)} MiB`;
  return `${significant(bytes / 2 ** 10)} KiB`;
}

export function duration(seconds: number): string {
  if (seconds >= 120) return `${significant(seconds / 60)} min`;
  if (seconds >= 1) return `${significant(seconds)} s`;
  if (seconds >= 1e-3) return `${significant(seconds * 1e3)} ms`;
  if (seconds >= 1e-6) return `${significant(seconds * 1e6)} µs`;
  return `${significant(seconds * 1e9)} ns`;
}

export const percent = (share: number): string => `${significant(share * 100)} %`;
