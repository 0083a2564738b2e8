// One step of training as a list of operators, in 16 bits and for any model, unlike workloads/training.ts, which the engine
// runs in f32: to be bounded by rooflines and compared with inference.

import type { Chip } from "../chips/chip";
import { workOf } from "../kernels";
import { attentionLayers, linears, type ModelConfig, parameters } from "../workloads";
import { type ChipRoof, chipRoof, type Roof } from "./roofline";

/** Something that a step does `count` times. FLOP and bytes are of one time, and what any implementation must spend. */
export interface Operator {
  readonly label: string;
  readonly phase: "forward" | "backward" | "optimiser";
  readonly count: number;
  readonly flops: number;
  readonly bytes: number;
}

export interface TrainingStep {
  /** Over all sequences. */
  readonly tokens: number;
  readonly operators: readonly Operator[];
}

/** 16-bit weights, activations and gradients, as mixed-precision training has them. */
const DTYPE = "f16";

/**
 * Attention's backward pass multiplies five matrices where the forward pass multiplies two: the scores once more, which
 * nobody keeps, and dV, dP, dQ, dK (FlashAttention-2, arXiv 2307.08691).
 */
const ATTENTION_BACKWARD_FLOPS = 5 / 2;

/** Reads Q, K, V, O and dO and writes dQ, dK and dV, where the forward pass reads Q, K, V and writes O. */
const ATTENTION_BACKWARD_BYTES = 2;

/**
 * AdamW in mixed precision: reads the gradient (2 bytes) and, in f32, the master weight and both moments (12), writes
 * those back (12) and the 16-bit weight (2). Its dozen FLOP per parameter are hidden under them and not counted.
 */
const OPTIMISER_BYTES = 28;

/**
 * Bytes that stay on the chips for every parameter: weight and gradient in 16 bits, master weight and two moments in 32
 * (ZeRO, arXiv 1910.02054, section 3.1). Activations come on top.
 */
export const TRAINING_STATE_BYTES = 16;

/**
 * One step on `batch` sequences of `tokens` tokens: forward, both backward products of every matrix (dX = dY·W and
 * dW = dYᵀ·X, each of the forward product's size), attention both ways, AdamW. 6 FLOP per weight of a matrix and token
 * plus 3.5 times attention's forward pass. Activations are kept: nothing but attention's scores is computed twice.
 * Throws a RangeError unless tokens and batch are whole numbers from 1 up.
 */
export function trainingStep(model: ModelConfig, tokens: number, batch: number): TrainingStep {
  for (const [name, value] of Object.entries({ tokens, batch })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} of a training step is ${value}: it has to be a whole number from 1 up`);
  }
  const M = tokens * batch;
  const products = linears(model).flatMap((linear): Operator[] => {
    const { label, N, K } = linear;
    // Tokens spread over experts' matrices evenly; all of a dense layer's meet the one it has.
    const count = Math.min(linear.count, M * linear.perToken);
    const rows = (M * linear.perToken) / count;
    const product = (shape: { M: number; N: number; K: number }) =>
      workOf({ kernel: "matmul", shape }, DTYPE);
    return [
      { label, phase: "forward", count, ...product({ M: rows, N, K }) },
      { label: `${label} dX`, phase: "backward", count, ...product({ M: rows, N: K, K: N }) },
      { label: `${label} dW`, phase: "backward", count, ...product({ M: N, N: K, K: rows }) },
    ];
  });
  const attention = attentionLayers(model).flatMap(({ window, count }): Operator[] => {
    const { flops, bytes } = workOf(
      {
        kernel: "attention",
        shape: {
          batch,
          queries: tokens,
          keys: tokens,
          heads: model.num_attention_heads,
          kvHeads: model.num_key_value_heads,
          headDim: model.head_dim,
          window: Math.min(window ?? tokens, tokens),
        },
      },
      DTYPE,
    );
    const label = window === undefined ? "attention" : "attention (local)";
    return [
      { label, phase: "forward", count, flops, bytes },
      {
        label: `${label} dQ, dK, dV`,
        phase: "backward",
        count,
        flops: flops * ATTENTION_BACKWARD_FLOPS,
        bytes: bytes * ATTENTION_BACKWARD_BYTES,
      },
    ];
  });
  const optimiser: Operator = {
    label: "AdamW",
    phase: "optimiser",
    count: 1,
    flops: 0,
    bytes: OPTIMISER_BYTES * parameters(model),
  };
  return { tokens: M, operators: [...products, ...attention, optimiser] };
}

/** FLOP of a whole step. */
export const trainingFlops = ({ operators }: TrainingStep): number =>
  operators.reduce((sum, { count, flops }) => sum + count * flops, 0);

/** The shortest time of a step under a roof: each operator takes as long as the slower of arithmetic and traffic. */
export const trainingRoofSeconds = ({ operators }: TrainingStep, roof: Roof): number =>
  operators.reduce(
    (sum, { count, flops, bytes }) => sum + count * Math.max(flops / roof.flops, bytes / roof.bandwidth),
    0,
  );

/** What a chip could train at most, by its published figures. */
export interface TrainingBound {
  readonly chip: Chip;
  readonly roof: ChipRoof;
  /** Undefined where a figure is missing: `roof` says which. */
  readonly tokensPerSecond: number | undefined;
}

/** The roofline bound of a training step on each chip, alone and as if its memory held model and optimiser. */
export function trainingBounds(step: TrainingStep, chips: readonly Chip[]): TrainingBound[] {
  return chips.map((chip) => {
    const roof = chipRoof(chip, DTYPE);
    return {
      chip,
      roof,
      tokensPerSecond: roof.known ? step.tokens / trainingRoofSeconds(step, roof.roof) : undefined,
    };
  });
}
