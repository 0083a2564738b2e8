// A chip as its data sheet describes it: the schema of the JSON files in this folder. Base units: FLOP/s,
// bytes, byte/s, watts, dollars. Every number says who published it; none was measured by Tokenroof.

import * as v from "valibot";
import type { DType } from "../kernels/elements";

/** In the order in which chips are listed: those of the race first, then the card next door. */
export const chipClasses = [
  "datacenter-gpu",
  "inference-asic",
  "wafer-scale",
  "tpu",
  "training-asic",
  "consumer-gpu",
  "apple-soc",
  "integrated-gpu",
  "mobile",
  "edge",
  "cpu",
] as const;

/** From the best evidence to none: `recalled-unverified` was found in no document. */
export const figureKinds = [
  "vendor-datasheet",
  "vendor-blog",
  "analyst",
  "press",
  "derived",
  "recalled-unverified",
] as const;

const figureEntries = {
  value: v.pipe(v.number(), v.finite(), v.gtValue(0)),
  /** https address; empty only for a figure that was derived or recalled. */
  source: v.union([v.literal(""), v.pipe(v.string(), v.url(), v.startsWith("https://"))]),
  /** The words of the source that give the value, or how it was derived. */
  quote: v.pipe(v.string(), v.nonEmpty(), v.maxLength(300)),
  kind: v.picklist(figureKinds),
};

const needsNoSource = ["derived", "recalled-unverified"];
const isSourced = (figure: { source: string; kind: string }) =>
  figure.source !== "" || needsNoSource.includes(figure.kind);
const unsourced = "only a derived or recalled figure may go without a source";

const figure = v.pipe(
  v.strictObject(figureEntries),
  v.check((it) => isSourced(it), unsourced),
);

const datedFigure = v.pipe(
  v.strictObject({
    ...figureEntries,
    /** When the price held, as the source dates it: "2026-05-20", "mid-2026", "launch". */
    asOf: v.pipe(v.string(), v.nonEmpty()),
  }),
  v.check((it) => isSourced(it), unsourced),
);

export const chipSchema = v.strictObject({
  /** The file's name. */
  id: v.pipe(v.string(), v.regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)),
  name: v.pipe(v.string(), v.nonEmpty()),
  vendor: v.pipe(v.string(), v.nonEmpty()),
  class: v.picklist(chipClasses),
  /** What its vendor sells it for. */
  role: v.picklist(["training", "inference", "both"]),
  /** Year or year and month, YYYY or YYYY-MM; in the future if announced. */
  launch: v.pipe(v.string(), v.regex(/^\d{4}(-(0[1-9]|1[0-2]))?$/)),
  /** What all figures are for: "per chip", "per card (2 chips)", "per rack (72 GPUs)". */
  unit: v.pipe(v.string(), v.startsWith("per ")),

  /** Dense throughput, without structured sparsity, by operand format. FLOP/s, of which a multiply-add is two. */
  peakFlops: v.strictObject({
    fp32: v.exactOptional(figure),
    tf32: v.exactOptional(figure),
    /** Matrix units, at the fastest accumulator they offer. */
    fp16: v.exactOptional(figure),
    bf16: v.exactOptional(figure),
    fp8: v.exactOptional(figure),
    fp4: v.exactOptional(figure),
    /** Integer operations per second. */
    int8: v.exactOptional(figure),
    /** Ordinary shader arithmetic, without the matrix units. */
    fp16Vector: v.exactOptional(figure),
    /** Matrix units, sums kept in fp32. */
    fp16Fp32Acc: v.exactOptional(figure),
  }),

  /** The memory that weights are read from. */
  memory: v.strictObject({
    kind: v.exactOptional(v.pipe(v.string(), v.nonEmpty())),
    /** Bytes. */
    capacity: v.exactOptional(figure),
    /** byte/s, on paper. */
    bandwidth: v.exactOptional(figure),
    /** byte/s that somebody's read benchmark reached. */
    measuredBandwidth: v.exactOptional(figure),
  }),

  /** Watts: TDP or the vendor's nearest word for it. */
  power: v.exactOptional(figure),
  /** Bytes of memory on the chip: scratchpads, or the last cache. */
  sram: v.exactOptional(figure),
  /** Bytes. */
  l2Cache: v.exactOptional(figure),
  /** byte/s to other chips, as the vendor counts it, which is mostly both directions together. */
  interconnect: v.exactOptional(figure),
  /** byte/s to the host, where weights have to come that way. */
  hostLink: v.exactOptional(figure),
  /** byte/s of a second, larger tier of memory behind `memory`. */
  slowMemory: v.exactOptional(figure),

  price: v.exactOptional(
    v.strictObject({
      /** Dollars per hour for one `unit`. */
      rentPerHour: v.exactOptional(datedFigure),
      /** Dollars for one `unit`. */
      purchase: v.exactOptional(datedFigure),
    }),
  ),

  note: v.exactOptional(v.pipe(v.string(), v.nonEmpty())),
});

/** A number somebody published, where, and in which words. */
export type Figure = v.InferOutput<typeof figure>;
export type Chip = v.InferOutput<typeof chipSchema>;
export type Format = keyof Chip["peakFlops"];

/** False for a figure from memory, which must not decide anything. */
export function isVerified(figure: Figure): boolean {
  return figure.kind !== "recalled-unverified";
}

const sixteenBits: readonly (readonly Format[])[] = [["fp16", "bf16"], ["fp16Vector"]];

// In order of preference; tf32 is not f32: it multiplies 11 bits of each operand. Weights of four and eight bits are
// unpacked and multiplied by 16-bit activations, as runtimes on such chips do.
const formatsOf: Readonly<Record<DType, readonly (readonly Format[])[]>> = {
  f32: [["fp32"]],
  f16: sixteenBits,
  q8_0: sixteenBits,
  q4_0: sixteenBits,
};

/**
 * The dense peak of a matrix product of 16-bit or 32-bit operands: the faster of the verified figures for
 * matrix units (Gaudi's bf16 is over three times its fp16), else that of vector units.
 */
export function flopsFor(chip: Chip, dtype: DType): { figure: Figure; format: Format } | undefined {
  for (const formats of formatsOf[dtype]) {
    const [best] = formats
      .flatMap((format) => {
        const figure = chip.peakFlops[format];
        return figure && isVerified(figure) ? [{ figure, format }] : [];
      })
      .sort((a, b) => b.figure.value - a.figure.value);
    if (best !== undefined) return best;
  }
  return undefined;
}
