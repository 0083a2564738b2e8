// What products with experts' matrices have in common: which token goes through which expert is known on the GPU only.

import { activationsOf, type DType } from "./elements";
import { type Expected, type Kernel, type Matrix, type Operand, splitRange, trafficOf } from "./kernel";
import { dotProducts, weightOperands, weightsOf, wholeBlocks } from "./product";

export type ExpertShape = {
  readonly tokens: number;
  /** Experts that each token goes through. */
  readonly chosen: number;
  /** Rows of the output that share a row of X: all of a token's, `chosen`, or none, 1. */
  readonly sharing: number;
  /** Experts of the layer. */
  readonly experts: number;
  /** Experts whose matrices these are: a binding may not hold all of them. */
  readonly held: number;
  /** The first expert, counted from 0, that comes after those. */
  readonly until: number;
  /**
   * Experts of the layer that the tokens go through together: what has to be read. It depends on the numbers; a caller
   * says what is to be expected.
   */
  readonly woken: number;
  /** Rows of an expert's matrix, or of each of its two where one gates the other. */
  readonly N: number;
  readonly K: number;
};

const expertFields = ["tokens", "chosen", "sharing", "experts", "held", "until", "woken", "N", "K"] as const;

/** Rows of the output: one for each token and expert of it. */
export const pairsOf = ({ tokens, chosen }: ExpertShape): number => tokens * chosen;

/**
 * Experts of `experts` that are expected to be woken by `tokens` tokens, each of which goes through `chosen` different
 * ones as if all were as likely: all but those that nobody picks, E·(1 − (1 − k/E)^n), to the nearest whole number.
 */
export const wokenExperts = (experts: number, chosen: number, tokens: number): number =>
  Math.max(chosen, Math.round(experts * (1 - (1 - chosen / experts) ** tokens)));

/** The experts of each token. Where all are woken, they take turns: chance would leave some out. */
export const chosenOperand = ({
  tokens,
  chosen,
  experts,
  woken,
}: Pick<ExpertShape, "tokens" | "chosen" | "experts"> & Partial<Pick<ExpertShape, "woken">>): Operand => ({
  name: "ids",
  rows: tokens,
  columns: chosen,
  role: "activations",
  element: "u32",
  range: [0, experts],
  ...(woken === experts && { taking: "turns" as const }),
});

/** Operands where each expert has `perOutput` matrices of N rows, one below the other. */
function expertOperands(shape: ExpertShape, dtype: DType, perOutput: 1 | 2): Operand[] {
  const { sharing, held, N, K } = shape;
  const element = activationsOf[dtype];
  return [
    { name: "x", rows: pairsOf(shape) / sharing, columns: K, role: "activations", element },
    chosenOperand(shape),
    ...weightOperands("w", held * perOutput * N, K, dtype),
    { name: "y", rows: pairsOf(shape), columns: N, role: "output", element },
  ];
}

/** Rows of the matrices that are read. */
const rowsRead = ({ woken, held, experts, N }: ExpertShape, perOutput: 1 | 2): number =>
  (woken * held * perOutput * N) / experts;

/** The place of an output row's expert among those held here; undefined where it is another's. */
export function placeOf(shape: ExpertShape, ids: Matrix, row: number): number | undefined {
  const { chosen, held, until } = shape;
  const place = ids(Math.floor(row / chosen), row % chosen) - (until - held);
  return place >= 0 && place < held ? place : undefined;
}

/** Dot products of an output row with rows of its expert's matrix. */
export function expertProducts(
  shape: ExpertShape,
  [x, ids, w, scales]: readonly Matrix[],
  row: number,
  columns: readonly number[],
  perOutput: 1 | 2,
): Expected[] {
  const place = placeOf(shape, ids!, row);
  if (place === undefined) throw new Error("nothing is written to this row");
  const first = place * perOutput * shape.N;
  const rows = columns.map((column) => first + column);
  const at = Math.floor(row / shape.sharing);
  return dotProducts(x!, weightsOf(w!, scales), shape.K, at, rows);
}

/** Why a token cannot go through so many of so few experts, or undefined. */
export const tooFewExperts = ({
  chosen,
  experts,
}: Pick<ExpertShape, "chosen" | "experts">): string | undefined =>
  chosen > experts ? "a token goes through no more experts than there are" : undefined;

function impossible(shape: ExpertShape): string | undefined {
  const { chosen, sharing, experts, held, until, woken } = shape;
  const tooFew = tooFewExperts(shape);
  if (tooFew !== undefined) return tooFew;
  if (sharing !== 1 && sharing !== chosen) return "rows are shared by all of a token's experts, or by none";
  if (held > until || until > experts) return "the experts held are some of the layer's";
  return woken > experts ? "no more experts are woken than there are" : undefined;
}

/** What kernels of experts have in common, with `perOutput` matrices for each. */
export const expertKernel = (perOutput: 1 | 2) =>
  ({
    fields: expertFields,
    impossible,
    unsupported: wholeBlocks,
    operands: (shape: ExpertShape, dtype: DType) => expertOperands(shape, dtype, perOutput),
    rowsRead: (shape: ExpertShape) => rowsRead(shape, perOutput),
    work(shape: ExpertShape, dtype: DType) {
      const { held, experts, N, K } = shape;
      const share = held / experts;
      const bytes = expertOperands(shape, dtype, perOutput).map((operand) => {
        if (operand.role === "weights") return trafficOf({ ...operand, rows: rowsRead(shape, perOutput) });
        // Other pieces' rows are theirs to write.
        return trafficOf(operand) * (operand.role === "output" ? share : 1);
      });
      return {
        flops: 2 * perOutput * pairsOf(shape) * share * N * K,
        bytes: bytes.reduce((a, b) => a + b),
      };
    },
    split: (shape: ExpertShape, parts: number) => ({ ...shape, N: splitRange(shape.N, parts) }),
    products: ({ K }: ExpertShape) => perOutput * K,
    untouched: (shape: ExpertShape, [, ids]: readonly Matrix[], row: number) =>
      placeOf(shape, ids!, row) === undefined,
  }) as const satisfies Partial<Kernel<ExpertShape>>;
