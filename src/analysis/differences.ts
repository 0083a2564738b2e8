// What is not the same about two results beside their times: to be read before any verdict.

import type { Result } from "../result";

/** Something of the environment or the protocol that is not the same on both sides. */
export interface Difference {
  readonly what: string;
  readonly a: string;
  readonly b: string;
}

const describedDevice = ({ device }: Result) =>
  [device.vendor, device.architecture, device.description].filter(Boolean).join(" ") || "unnamed";

const weights = ({ residency }: Result) =>
  residency
    .map(
      ({ model, dtype, layers, ofLayers, bytes }) =>
        `${model} ${dtype}: ${Math.round(bytes / 2 ** 20)} MiB, ${layers} of ${ofLayers} layers`,
    )
    .join("; ") || "none";

/** Whether or not something is so, in a word. */
const yes = (is: boolean) => (is ? "yes" : "no");

const facts: readonly (readonly [string, (result: Result) => string])[] = [
  ["device", describedDevice],
  ["adapter", ({ device }) => (device.software === null ? device.type || "GPU" : "a CPU")],
  ["features", ({ device }) => [...device.features].sort().join(", ") || "none"],
  ["host", ({ host }) => host.agent],
  ["kind of host", ({ host }) => host.kind],
  ["logical cores", ({ host }) => String(host.logicalCores)],
  ["cross-origin isolated", ({ host }) => yes(host.crossOriginIsolated)],
  ["GPU timestamps", ({ instruments }) => yes(instruments !== null && instruments.timestampQuantum !== null)],
  ["Tokenroof", ({ tool }) => `${tool.version} (${tool.commit})`],
  ["preset", ({ plan }) => plan.preset],
  ["load before sustained times", ({ plan }) => `${plan.sustain} s`],
  ["memory for weights", ({ plan }) => `${plan.memory / 2 ** 20} MiB`],
  ["weights in memory", weights],
  ["completion", ({ completion }) => completion.status],
];

/** Everything that is not the same about the environment and the protocol of two results. */
export const differences = (a: Result, b: Result): Difference[] =>
  facts.flatMap(([what, of]) => (of(a) === of(b) ? [] : [{ what, a: of(a), b: of(b) }]));
