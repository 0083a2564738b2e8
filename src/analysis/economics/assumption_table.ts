// The assumptions as data. A default that no source gives says so in its quote.

import type { Assumption } from "./assumptions";

/** Seconds. */
export const HOUR = 3600;
/** Seconds of 365 days, as prices per hour are turned into years. */
export const YEAR = 8760 * HOUR;
/** Joules. */
export const KILOWATT_HOUR = 3.6e6;

const tco = "https://v2-pseo-ai.pages.dev/tools/gpu-tco-analysis";
const facilities = "https://lynx-cortex.pages.dev";

const table = {
  electricity: {
    label: "electricity",
    unit: "$/kWh",
    value: 0.1,
    range: [0.001, 2],
    factor: 1 / KILOWATT_HOUR,
    source: tco,
    quote: "power at $0.06-0.12/kWh (US commercial average, February 2026: 14.37 ¢/kWh, EIA)",
    asOf: "undated (<=2026-08)",
  },
  pue: {
    label: "power usage effectiveness with air cooling",
    unit: "",
    value: 1.2,
    range: [1, 3],
    factor: 1,
    source: facilities,
    quote: "1.20-1.30 hyperscale average; 1.50-1.80 enterprise colocation",
    asOf: "2024",
  },
  "liquid-pue": {
    label: "power usage effectiveness with liquid cooling",
    unit: "",
    value: 1.15,
    range: [1, 3],
    factor: 1,
    source: facilities,
    quote: "1.10-1.15 hyperscale modern",
    asOf: "2024",
  },
  "air-limit": {
    label: "power of a chip from which on it needs liquid cooling",
    unit: "W",
    value: 1000,
    range: [100, 5000],
    factor: 1,
    source: "https://epium.com/news/nvidia-gb300-blackwell-ultra-nvl72-liquid-cooling-costs-nearly-usd-50000",
    quote:
      "1,400 W thermal design power, which rules out traditional air cooling (DGX B200, at 1,000 W, is air-cooled)",
    asOf: "undated (<=2026-08)",
  },
  rack: {
    label: "power of an air-cooled rack",
    unit: "kW",
    value: 30,
    range: [1, 100],
    factor: 1000,
    source: "https://factryze.ai/scale-atlas/power/dlc-watts-per-rack",
    quote: "The air-cooled ceiling sits near 30 kW",
    asOf: "undated (<=2026-08)",
  },
  "liquid-rack": {
    label: "power of a liquid-cooled rack",
    unit: "kW",
    value: 120,
    range: [1, 1000],
    factor: 1000,
    source: "https://factryze.ai/scale-atlas/power/dlc-watts-per-rack",
    quote: "NVL72 is the next jump: 72 GPUs (...) in a single rack at roughly 120 kW",
    asOf: "undated (<=2026-08)",
  },
  lifetime: {
    label: "lifetime of hardware, straight line, worth nothing after",
    unit: "years",
    value: 4,
    range: [0.5, 15],
    factor: YEAR,
    source:
      "https://app.aidatacenterguide.com/part-1-strategy-workload-archetypes-and-economics/1-8-business-models-economics-and-roi",
    quote: "the 5-6 year book life or the 2-3 year frontier-economic life: chosen between the two",
    asOf: "2026",
  },
  utilisation: {
    label: "share of its lifetime in which owned hardware works",
    unit: "",
    value: 0.6,
    range: [0.01, 1],
    factor: 1,
    source: "",
    quote: "chosen; debt-financed operators are said to break even at about 0.7",
    asOf: "2026",
  },
  "host-price": {
    label: "price of host, network and rack as a share of the chips' price",
    unit: "",
    value: 0.35,
    range: [0, 5],
    factor: 1,
    source: tco,
    quote: "H100 node CapEx ~$300,000-350,000 for 8 GPUs of ~$30,000: 325 / 240 - 1 = 0.35",
    asOf: "undated (<=2026-08)",
  },
  "host-power": {
    label: "power of host and network as a share of the chips' power",
    unit: "",
    value: 0.11,
    range: [0, 5],
    factor: 1,
    source: facilities,
    quote: "8 x 700 W -> 6.2 kW of IT load: 6.2 / 5.6 - 1 = 0.11",
    asOf: "2024-2026",
  },
  load: {
    label: "power drawn while working as a share of the chip's rated power",
    unit: "",
    value: 1,
    range: [0.05, 1.5],
    factor: 1,
    source: "",
    quote: "chosen: the rated power, which decode rarely draws; an upper bound",
    asOf: "2026",
  },
  link: {
    label: "bandwidth between prefill and decode, one way",
    unit: "GB/s",
    value: 50,
    range: [0.01, 10_000],
    factor: 1e9,
    source: "",
    quote: "400 Gbit/s InfiniBand NDR or Ethernet, one port: 400 / 8",
    asOf: "by definition",
  },
  "link-latency": {
    label: "fixed time of handing a request over",
    unit: "ms",
    value: 1,
    range: [0, 10_000],
    factor: 1e-3,
    source: "",
    quote: "chosen; software's share is far above the microseconds of the wire",
    asOf: "2026",
  },
} as const satisfies Readonly<Record<string, Assumption>>;

export type AssumptionKey = keyof typeof table;
export const defaults: Readonly<Record<AssumptionKey, Assumption>> = table;

const unsaid = { source: "", quote: "", asOf: "" };

/** What has no default: a chip's own sourced figure holds until the user gives another. */
const givenTable = {
  rent: { label: "rent of one chip", unit: "$/h", range: [0.001, 10_000], factor: 1 / HOUR, ...unsaid },
  purchase: { label: "price of one chip", unit: "$", range: [1, 1e8], factor: 1, ...unsaid },
  power: { label: "rated power of one chip", unit: "W", range: [0.1, 1e6], factor: 1, ...unsaid },
} as const satisfies Readonly<Record<string, Omit<Assumption, "value">>>;

export type GivenKey = keyof typeof givenTable;
export const givens: Readonly<Record<GivenKey, Omit<Assumption, "value">>> = givenTable;
