// Which experts a token goes through, and how much each of them counts.

import wgsl from "../../shaders/route.wgsl?raw";
import { activationsOf, type DType, roundoff } from "./elements";
import { tooFewExperts } from "./experts";
import { type Kernel, type Operand, preludeFor, trafficOfAll, type Variant } from "./kernel";

export type RouteShape = {
  readonly tokens: number;
  readonly experts: number;
  /** Experts that each token goes through. */
  readonly chosen: number;
};

type RouteTuning = { readonly THREADS: number };

/** A workgroup for each token. */
const tokenwise: Variant<RouteShape, RouteTuning> = {
  shaders: { route: wgsl },
  space: { THREADS: [8, 16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 128 }, { THREADS: 8 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand: ({ THREADS }, { experts, chosen }) => ({
    threads: THREADS,
    workgroupStorage: 4 * (experts + chosen),
  }),
  stages: ({ THREADS }, { tokens, experts, chosen }, dtype) => [
    {
      shader: "route",
      prelude: preludeFor(activationsOf[dtype], { THREADS, EXPERTS: experts, CHOSEN: chosen }),
      workgroups: tokens,
      binds: ["logits", "bias", "ids", "weights"],
    },
  ],
  spot({ tokens, chosen }, _tuning, workgroup, choice) {
    if (workgroup >= tokens) return undefined;
    // Of the experts, or of what they count.
    return [choice & 1 ? tokens + workgroup : workgroup, (choice >>> 1) % chosen];
  },
};

function operands({ tokens, experts, chosen }: RouteShape, dtype: DType): Operand[] {
  const element = activationsOf[dtype];
  return [
    { name: "logits", rows: tokens, columns: experts, role: "activations", element },
    { name: "bias", rows: 1, columns: experts, role: "activations", element },
    { name: "ids", rows: tokens, columns: chosen, role: "output", element: "u32" },
    { name: "weights", rows: tokens, columns: chosen, role: "output", element: "f32" },
  ];
}

/**
 * The `chosen` experts of each token with the largest logits, and the softmax over these: that over all of them with the
 * weights of the chosen made to add up to one is the same.
 */
export const route: Kernel<RouteShape> = {
  fields: ["tokens", "experts", "chosen"],
  variants: { tokenwise },
  impossible: tooFewExperts,
  shapeClass: ({ experts }) => `${experts} experts`,
  operands,
  /** A sum and a comparison for each logit, and what a softmax takes. */
  work: (shape, dtype) => ({
    flops: shape.tokens * (2 * shape.experts + 3 * shape.chosen),
    bytes: trafficOfAll(operands(shape, dtype)),
  }),
  products: ({ experts }) => experts,
  reference({ tokens, experts, chosen }, [logits, bias], row, columns) {
    const scores = Array.from(
      { length: experts },
      (_, expert) => logits!(row % tokens, expert) + bias!(0, expert),
    );
    const best = scores
      .map((score, expert) => ({ score, expert }))
      .sort((a, b) => b.score - a.score || a.expert - b.expert)
      .slice(0, chosen);
    if (row < tokens) return columns.map((place) => ({ value: best[place]!.expert, magnitude: 1 }));
    const highest = best[0]!.score;
    const total = best.reduce((sum, { score }) => sum + Math.exp(score - highest), 0);
    return columns.map((place) => {
      const value = Math.exp(best[place]!.score - highest) / total;
      return { value, magnitude: value };
    });
  },
  // exp() may be off by 3 + 2|x| ULP and a quotient by 2.5 (WGSL 15.7.4); logits of this data differ by less than 2.
  tolerance: ({ chosen }) => (24 + 2 * Math.sqrt(chosen)) * roundoff.f32,
};
