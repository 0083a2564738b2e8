// Products with experts' matrices for few tokens: each token's experts by themselves, a vector for each.

import floatsWgsl from "../../shaders/expert_matvec.wgsl?raw";
import quantsWgsl from "../../shaders/expert_matvec_quants.wgsl?raw";
import { activationsOf, quantsOf, roundoff } from "./elements";
import { type ExpertShape, expertKernel, expertProducts, pairsOf } from "./experts";
import { type Kernel, pick, preludeFor, spotAt, sumTolerance, type Variant } from "./kernel";
import {
  arrangement,
  type LanesTuning,
  laneDescription,
  laneExtensions,
  laneSpace,
  type PerOutput,
} from "./matvec_lanes";
import { unpacking } from "./product";
import { gated } from "./swiglu";

/** Outputs of a workgroup. */
const outputsOf = ({ TEAMS, ROWS }: LanesTuning, perOutput: PerOutput) => (TEAMS * ROWS) / perOutput;

/** Workgroups of a pair of a token and an expert. */
const perPair = ({ N }: ExpertShape, tuning: LanesTuning, perOutput: PerOutput) =>
  Math.ceil(N / outputsOf(tuning, perOutput));

const starts: readonly LanesTuning[] = [
  { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 0 },
  { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 32 },
  { LANES: 8, TEAMS: 1, ROWS: 8, SUBGROUP: 0 },
  { LANES: 8, TEAMS: 1, ROWS: 8, SUBGROUP: 8 },
  { LANES: 4, TEAMS: 2, ROWS: 8, SUBGROUP: 4 },
  { LANES: 1, TEAMS: 16, ROWS: 4, SUBGROUP: 0 },
];

/** Lanes share a row of a pair's own expert. */
function lanes(perOutput: PerOutput, stored: "floats" | "quants"): Variant<ExpertShape, LanesTuning> {
  const { unfit, demand, constants } = arrangement(perOutput);
  const floats = stored === "floats";
  const shader = floats ? "expert_matvec" : "expert_matvec_quants";
  // A pair is one row of X.
  const one = (shape: ExpertShape) => ({ ...shape, M: 1 });
  return {
    shaders: { [shader]: floats ? floatsWgsl : quantsWgsl },
    space: laneSpace,
    starts,
    describe: (tuning) => laneDescription(tuning) + (floats ? "" : " unpacked"),
    unfit(tuning, shape, dtype) {
      if ((quantsOf[dtype] === undefined) !== floats)
        return floats ? "its weights are floats" : "its weights are whole numbers";
      return unfit(tuning, one(shape));
    },
    demand: (tuning, shape) => demand(tuning, one(shape)),
    stages(tuning, shape, dtype) {
      const { M: _, ...all } = constants(tuning, one(shape));
      return [
        {
          shader,
          prelude: preludeFor(
            activationsOf[dtype],
            { ...all, ...(!floats && unpacking(dtype)) },
            laneExtensions(tuning),
          ),
          workgroups: pairsOf(shape) * perPair(shape, tuning, perOutput),
          binds: ["x", "ids", "w", ...(floats ? [] : ["scales"]), "y"],
        },
      ];
    },
    spot(shape, tuning, workgroup, choice) {
      const outputs = outputsOf(tuning, perOutput);
      const each = perPair(shape, tuning, perOutput);
      const pair = Math.floor(workgroup / each);
      const row = pair < pairsOf(shape) ? pair : undefined;
      return spotAt(row, pick((workgroup % each) * outputs, outputs, shape.N, choice));
    },
  };
}

const common = { shapeClass: ({ tokens }: ExpertShape) => `${tokens} tokens` };

/** y[t, j] = W[ids[t, j]] · x[t], or · x[t, j]: each token times the matrices of its own experts. */
export const expert_matvec: Kernel<ExpertShape> = {
  ...expertKernel(1),
  ...common,
  variants: { lanes: lanes(1, "floats"), quants: lanes(1, "quants") },
  reference: (shape, inputs, row, columns) => expertProducts(shape, inputs, row, columns, 1),
  tolerance: ({ K }) => sumTolerance(K),
};

/** The same with two matrices for each expert, of which the first gates the second: SiLU(G · x) ∘ (U · x). */
export const expert_swiglu: Kernel<ExpertShape> = {
  ...expertKernel(2),
  ...common,
  variants: { lanes: lanes(2, "floats"), quants: lanes(2, "quants") },
  reference(shape, inputs, row, columns) {
    const ups = columns.map((column) => shape.N + column);
    const of = (wanted: readonly number[]) => expertProducts(shape, inputs, row, wanted, 2);
    return gated(of(columns), of(ups));
  },
  // As swiglu's.
  tolerance: ({ K }) => sumTolerance(K) + 16 * roundoff.f32,
};
