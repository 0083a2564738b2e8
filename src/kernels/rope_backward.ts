import wgsl from "../../shaders/rope_backward.wgsl?raw";
import { roundoff } from "./elements";
import { floats, onlyF32, written } from "./f32_only";
import { type Kernel, type Operand, pick, trafficOfAll, type Variant } from "./kernel";

export type RopeBackwardShape = {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
};

const headsOf = ({ heads, kvHeads }: RopeBackwardShape) => heads + 2 * kvHeads;

function operands(shape: RopeBackwardShape): Operand[] {
  const { batch, tokens, heads, kvHeads, headDim } = shape;
  return [
    floats("dq", batch * tokens * heads, headDim),
    floats("dk", batch * kvHeads * tokens, headDim),
    floats("dv", batch * kvHeads * tokens, headDim),
    floats("angles", tokens, headDim),
    written("d_qkv", batch * tokens, headsOf(shape) * headDim),
  ];
}

/** Units of two neighbours of both halves of a head. */
const unitsOf = (shape: RopeBackwardShape) =>
  (shape.batch * shape.tokens * headsOf(shape) * shape.headDim) / 4;

const threads: Variant<RopeBackwardShape, { readonly THREADS: number }> = {
  shaders: { rope_backward: wgsl },
  space: { THREADS: [16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  stages: ({ THREADS }, shape) => [
    {
      shader: "rope_backward",
      prelude: { constants: { THREADS } },
      workgroups: Math.ceil(unitsOf(shape) / THREADS),
      binds: ["dq", "dk", "dv", "angles", "d_qkv"],
    },
  ],
  spot(shape, { THREADS }, workgroup, choice) {
    const index = pick(workgroup * THREADS, THREADS, unitsOf(shape), choice >>> 2);
    if (index === undefined) return undefined;
    const { headDim } = shape;
    const units = headDim / 4;
    const [head, unit] = [Math.floor(index / units), index % units];
    const all = headsOf(shape);
    const column = 2 * unit + (choice & 1) + ((choice >>> 1) & 1) * (headDim / 2);
    return [Math.floor(head / all), (head % all) * headDim + column];
  },
};

/** d_qkv: gradients by queries, keys and values, the first two turned back by their position. */
export const rope_backward: Kernel<RopeBackwardShape> = {
  fields: ["batch", "tokens", "heads", "kvHeads", "headDim"],
  variants: { threads },
  impossible: ({ headDim, heads, kvHeads }) => {
    if (headDim % 4 !== 0) return "rope_backward's headDim is a multiple of 4";
    return heads % kvHeads === 0 ? undefined : "rope_backward's heads are a multiple of its kvHeads";
  },
  unsupported: onlyF32,
  shapeClass: () => "all",
  operands,
  work: (shape) => ({
    flops: 3 * shape.batch * shape.tokens * (shape.heads + shape.kvHeads) * shape.headDim,
    bytes: trafficOfAll(operands(shape)),
  }),
  products: () => 2,
  reference(shape, [dq, dk, dv, angles], token, columns) {
    const { tokens, heads, kvHeads, headDim } = shape;
    const half = headDim / 2;
    const position = token % tokens;
    return columns.map((column) => {
      const [head, d] = [Math.floor(column / headDim), column % headDim];
      const kvHead = (head - heads) % kvHeads;
      const row = (Math.floor(token / tokens) * kvHeads + kvHead) * tokens + position;
      const at = (place: number) =>
        head < heads ? dq!(token * heads + head, place) : (head < heads + kvHeads ? dk! : dv!)(row, place);
      if (head >= heads + kvHeads) return { value: at(d), magnitude: Math.abs(at(d)) };
      const cosine = angles!(position, d % half);
      const sine = angles!(position, half + (d % half)) * (d < half ? 1 : -1);
      const other = at((d + half) % headDim);
      return {
        value: at(d) * cosine + other * sine,
        magnitude: Math.abs(at(d) * cosine) + Math.abs(other * sine),
      };
    });
  },
  tolerance: () => 4 * roundoff.f32,
};
