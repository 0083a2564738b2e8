// Attention with a sink for each head, as gpt-oss has it: the kernels of attention, and a last stage that knows of sinks.

import wgsl from "../../shaders/attention_sinks.wgsl?raw";
import { attend, attention } from "./attention";
import { type AttentionShape, headWords, merge, mergedSpot, outputRows, partials } from "./attention_rows";
import { activationsOf, type DType, roundoff } from "./elements";
import { type AnyTuning, type Kernel, type Operand, preludeFor, trafficOf, type Variant } from "./kernel";

type AttentionVariant = Variant<AttentionShape, AnyTuning>;

const splitsOf = ({ SPLITS }: AnyTuning): number => SPLITS ?? 1;

/** A variant of attention that leaves its splits, or the only one, to a stage that merges them with the sinks. */
const withSinks = (variant: AttentionVariant): AttentionVariant => ({
  ...variant,
  shaders: { ...variant.shaders, attention_sinks: wgsl },
  demand(tuning, shape, dtype) {
    const found = variant.demand(tuning, shape, dtype);
    return { ...found, threads: Math.max(found.threads, merge.threads) };
  },
  stages(tuning, shape, dtype) {
    const [first] = variant.stages(tuning, shape, dtype);
    if (first === undefined) throw new Error("attention has a stage");
    const { alias, constants, ...prelude } = first.prelude;
    const [HEAD_WORDS, SPLITS] = [headWords(shape), splitsOf(tuning)];
    return [
      {
        ...first,
        prelude: { ...prelude, alias: { ...alias, out: "f32" }, constants: { ...constants, PARTIAL: 1 } },
        binds: ["q", "k", "v", "partial", "stats"],
      },
      {
        shader: "attention_sinks",
        prelude: preludeFor(activationsOf[dtype], { HEAD_WORDS, SPLITS, THREADS: merge.threads }),
        workgroups: Math.ceil((outputRows(shape) * HEAD_WORDS) / merge.threads),
        binds: ["partial", "stats", "sinks", "o"],
      },
    ];
  },
  scratch: (tuning, shape) => partials(shape, splitsOf(tuning)),
  spot: (shape, _tuning, workgroup, choice) => mergedSpot(shape, workgroup, choice),
});

const sinksOf = ({ heads }: AttentionShape, dtype: DType): Operand => ({
  name: "sinks",
  rows: 1,
  columns: heads,
  role: "activations",
  element: activationsOf[dtype],
});

/** The same as attention with one more score in each softmax, that of its head's sink, which has no value. */
export const sink_attention: Kernel<AttentionShape> = {
  ...attention,
  variants: Object.fromEntries(
    Object.entries(attention.variants).map(([name, variant]) => [name, withSinks(variant)]),
  ),
  operands(shape, dtype) {
    const given = attention.operands(shape, dtype);
    return [...given.slice(0, -1), sinksOf(shape, dtype), ...given.slice(-1)];
  },
  work(shape, dtype) {
    const { flops, bytes } = attention.work(shape, dtype);
    return { flops, bytes: bytes + trafficOf(sinksOf(shape, dtype)) };
  },
  reference: (shape, inputs, row, columns) =>
    attend(shape, inputs, row, columns, inputs[3]!(0, row % shape.heads)),
  // One more exponential and its sum.
  tolerance: (shape, dtype) => attention.tolerance(shape, dtype) + 8 * roundoff.f32,
};
