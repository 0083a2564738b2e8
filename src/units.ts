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

const MAX_DECIMALS = 12;

// Making a formatter is much slower than using it, and a report has thousands of figures.
const withDecimals = Array.from(
  { length: MAX_DECIMALS + 1 },
  (_, digits) =>
    new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);

/** Three significant digits without an exponent: 12300 -> "12,300", 0.01234 -> "0.0123". */
export function significant(value: number): string {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return "?";
  const rounded = Number(value.toPrecision(3));
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
  return withDecimals[Math.min(digits, MAX_DECIMALS)]!.format(rounded);
}

/** A unit with the factor that numbers are divided by before it. */
interface Scale {
  readonly factor: number;
  readonly unit: string;
}

/** How to write numbers of about this size in this kind of unit. */
export type ScaleOf = (value: number) => Scale;

const prefixed =
  (unit: string): ScaleOf =>
  (value) => {
    const [factor, prefix] = PREFIXES.find(([size]) => Math.abs(value) >= size) ?? [1, ""];
    return { factor, unit: `${prefix}${unit}` };
  };

export const flopRate = prefixed("FLOP/s");
/** Of whole numbers. */
export const operationRate = prefixed("OP/s");
export const byteRate = prefixed("B/s");

/** Tokens per second, unscaled: people compare these across machines. */
export const tokenRate: ScaleOf = () => ({ factor: 1, unit: "tokens/s" });

export const share: ScaleOf = () => ({ factor: 0.01, unit: "%" });

export const seconds: ScaleOf = (value) => {
  if (value >= 120) return { factor: 60, unit: "min" };
  if (value >= 1) return { factor: 1, unit: "s" };
  if (value >= 1e-3) return { factor: 1e-3, unit: "ms" };
  if (value >= 1e-6) return { factor: 1e-6, unit: "µs" };
  return { factor: 1e-9, unit: "ns" };
};

export const watts = prefixed("W");

/** Electricity as meters count it, from joules. */
export const kilowattHours: ScaleOf = () => ({ factor: 3.6e6, unit: "kWh" });

export const dollars: ScaleOf = () => ({ factor: 1, unit: "$" });

/** Of dollars per second. */
export const dollarsPerHour: ScaleOf = () => ({ factor: 1 / 3600, unit: "$/h" });

/** Of dollars per token, as models are sold. */
export const dollarsPerMillionTokens: ScaleOf = () => ({ factor: 1e-6, unit: "$/M tokens" });

/** Of joules per token. */
export const joulesPerToken: ScaleOf = () => ({ factor: 1, unit: "J/token" });

/** Of joules per token. */
export const kilowattHoursPerMillionTokens: ScaleOf = () => ({ factor: 3.6, unit: "kWh/M tokens" });

/** "8.25 GFLOP/s" */
export function written(value: number, scaleOf: ScaleOf): string {
  const { factor, unit } = scaleOf(value);
  return `${significant(value / factor)} ${unit}`;
}

/** A figure with its interval in the same unit: "8.25 GFLOP/s (8.10 … 8.31)". */
export function estimated(
  { value, low, high }: { readonly value: number; readonly low: number; readonly high: number },
  scaleOf: ScaleOf,
): string {
  const { factor, unit } = scaleOf(value);
  return `${significant(value / factor)} ${unit} (${significant(low / factor)} … ${significant(high / factor)})`;
}

/** A figure with its interval, or alone where one sample gives none. */
export const sampled = (
  estimate: { readonly value: number; readonly low: number; readonly high: number },
  scaleOf: ScaleOf,
): string =>
  estimate.low === estimate.high ? written(estimate.value, scaleOf) : estimated(estimate, scaleOf);

/** With an SI prefix: 8.25e9, "FLOP/s" -> "8.25 GFLOP/s". */
export const scaled = (value: number, unit: string): string => written(value, prefixed(unit));

/** Memory in the powers of two that GPUs count in. */
export function memory(bytes: number): string {
  if (bytes >= 2 ** 30) return `${significant(bytes / 2 ** 30)} GiB`;
  if (bytes >= 2 ** 20) return `${significant(bytes / 2 ** 20)} MiB`;
  return `${significant(bytes / 2 ** 10)} KiB`;
}

export const duration = (value: number): string => written(value, seconds);

export const percent = (value: number): string => written(value, share);
