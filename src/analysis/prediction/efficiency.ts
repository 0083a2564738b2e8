// What calibration knows: a few quantities, each a base value times the effects of the groups that a request belongs to.
// An effect is shrunk towards none by how little supports it, and none rests on a single chip.

import type { Maker, MemoryKind } from "./chip_figures";
import type { Engine, Stack } from "./stack";

/** What groups are made of. */
export interface Traits {
  readonly engine: Engine;
  readonly stack: Stack;
  readonly memory: MemoryKind;
  readonly maker: Maker;
  /** "f16", "fp8", "fp4", "packed" … */
  readonly precision: string;
  readonly scenario: string;
  readonly scale: "single" | "several" | "rack";
  readonly expert: "dense" | "experts";
  /** Runtimes became faster: when the figure was measured, or is to hold. */
  readonly era: "before 2025" | "since 2025";
  /** "slow" for cards on a single-board computer. */
  readonly host: "usual" | "slow";
}
export type Trait = keyof Traits;

/** Each quantity: what it is, its prior, and the groups that may bend it, from broad to narrow. */
export interface Quantity {
  readonly meaning: string;
  /** What is expected before any row is seen, and how many e-folds it may be off. */
  readonly prior: number;
  readonly spread: number;
  /** Where an engine is known to be of another order. */
  readonly priorOf?: Partial<Readonly<Record<Engine, number>>>;
  readonly groups: readonly (readonly Trait[])[];
  /** Shares are at most this. */
  readonly most?: number;
}

export const quantities = {
  weightBandwidth: {
    meaning: "share of the memory bandwidth at which weights are read",
    prior: 0.8,
    spread: 0.3,
    groups: [
      ["engine"],
      ["memory"],
      ["maker"],
      ["engine", "memory"],
      ["engine", "maker"],
      ["engine", "memory", "precision"],
    ],
    most: 0.97,
  },
  cacheBandwidth: {
    meaning: "share of the memory bandwidth at which the KV cache is read",
    prior: 0.7,
    spread: 0.3,
    groups: [["engine"], ["engine", "maker"]],
    most: 0.97,
  },
  queryAttention: {
    meaning: "FLOP/s of attention with one query per head, in runtimes that do not split its keys",
    prior: 1.2e12,
    spread: 0.5,
    groups: [["maker"], ["memory"], ["maker", "memory"]],
  },
  unpacking: {
    meaning: "operations at the fp32 peak to unpack and multiply one packed weight",
    prior: 20,
    spread: 0.7,
    groups: [["maker"], ["memory"], ["stack"], ["maker", "memory"]],
  },
  decodeOverhead: {
    meaning: "seconds per layer and token for launches and for kernels too small to matter otherwise",
    prior: 50e-6,
    spread: 0.7,
    // 564 to 876 dispatches per token in a graph that is not fused, of 24 to 71 µs each (arXiv:2604.02344), over 24 to 28 layers.
    priorOf: { browser: 1.2e-3 },
    groups: [
      ["engine"],
      ["maker"],
      ["stack"],
      ["memory"],
      ["engine", "era"],
      ["engine", "memory"],
      ["stack", "maker"],
    ],
  },
  decodeArithmetic: {
    meaning: "share of the matrix peak that batched decode reaches",
    prior: 0.4,
    spread: 0.5,
    groups: [["engine"], ["maker"], ["precision"], ["stack"], ["expert"]],
    most: 0.9,
  },
  prefillArithmetic: {
    meaning: "share of the matrix peak that a prompt's matrix products reach",
    prior: 0.55,
    spread: 0.4,
    groups: [
      ["engine"],
      ["maker"],
      ["precision"],
      ["stack"],
      ["engine", "era"],
      ["engine", "maker"],
      ["stack", "maker"],
      ["engine", "maker", "precision"],
      ["engine", "memory"],
    ],
    most: 0.95,
  },
  saturation: {
    meaning: "FLOP/s towards which a runtime's matrix kernels saturate however fast the chip is",
    prior: 3e14,
    spread: 0.7,
    priorOf: { server: 2e16, vendor: 1e18, browser: 1e14, other: 3e14 },
    groups: [["engine"], ["precision"]],
  },
  activations: {
    meaning: "bytes of traffic per token, layer and unit of width between a prompt's matrix products",
    prior: 60,
    spread: 0.7,
    groups: [["engine"], ["precision"], ["maker"]],
  },
  promptOverhead: {
    meaning: "seconds per layer and pass over a prompt",
    prior: 80e-6,
    spread: 0.7,
    groups: [["engine"], ["maker"], ["stack"]],
  },
  collective: {
    meaning: "seconds per all-reduce, beyond its bytes",
    prior: 15e-6,
    spread: 0.7,
    groups: [["engine"], ["maker"], ["stack"], ["memory"], ["engine", "era"]],
  },
  serving: {
    meaning: "share of the modelled throughput that a serving run reaches",
    prior: 0.75,
    spread: 0.5,
    groups: [
      ["scenario"],
      ["stack"],
      ["precision"],
      ["stack", "precision"],
      ["expert"],
      ["scale"],
      ["maker"],
      ["engine", "era"],
      ["scenario", "stack"],
    ],
  },
} as const satisfies Record<string, Quantity>;

export type QuantityName = keyof typeof quantities;
export const quantityNames = Object.keys(quantities) as QuantityName[];

/** Natural logarithms: of a quantity's base over its prior, and of each group's effect, by `groupKey`. */
export type Efficiencies = Readonly<
  Record<QuantityName, { readonly base: number; readonly effects: Readonly<Record<string, number>> }>
>;

const unbent = { base: 0, effects: {} };

/** Knowing nothing: the priors. */
export const priors: Efficiencies = {
  weightBandwidth: unbent,
  cacheBandwidth: unbent,
  queryAttention: unbent,
  unpacking: unbent,
  decodeOverhead: unbent,
  decodeArithmetic: unbent,
  prefillArithmetic: unbent,
  saturation: unbent,
  activations: unbent,
  promptOverhead: unbent,
  collective: unbent,
  serving: unbent,
};

/** "engine=ggml memory=HBM" */
export const groupKey = (traits: Traits, group: readonly Trait[]): string =>
  group.map((trait) => `${trait}=${traits[trait]}`).join(" ");

/** A quantity for a request. */
export function quantity(name: QuantityName, traits: Traits, known: Efficiencies): number {
  const { prior: usual, priorOf, groups, most = Number.POSITIVE_INFINITY }: Quantity = quantities[name];
  const prior = priorOf?.[traits.engine] ?? usual;
  const { base, effects } = known[name];
  const log = groups.reduce((sum, group) => sum + (effects[groupKey(traits, group)] ?? 0), base);
  return Math.min(most, prior * Math.exp(log));
}
