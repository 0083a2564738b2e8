// How weights are stored when a prediction is made: more formats than the engine has kernels for.

/** What a runtime multiplies in; runtimes on GGML formats unpack to 16 bits. */
export type Arithmetic = "fp32" | "fp16" | "fp8" | "fp4";

export interface WeightFormat {
  readonly id: string;
  /** Bits per weight, scales included, as a mean over the matrices; of the experts alone where `outsideBits` is there. */
  readonly bits: number;
  /** Bits per weight outside the experts, where only they are quantised. */
  readonly outsideBits?: number;
  readonly arithmetic: Arithmetic;
  /** Whole numbers in blocks that have to be unpacked before they are multiplied. */
  readonly packed: boolean;
}

const format = (id: string, bits: number, arithmetic: Arithmetic, packed = false): WeightFormat => ({
  id,
  bits,
  arithmetic,
  packed,
});

/**
 * Bits of GGML's formats: blocks of 32 (q4_0: 18 bytes, q8_0: 34 bytes) or super-blocks of 256 (q4_k 144 bytes, q5_k 176,
 * q6_k 210); the mixtures _m and _xl keep some matrices in larger ones, as llama.cpp's quantize reports for Llama models.
 */
export const weightFormats = {
  f32: format("f32", 32, "fp32"),
  f16: format("f16", 16, "fp16"),
  bf16: format("bf16", 16, "fp16"),
  q8_0: format("q8_0", 8.5, "fp16", true),
  q6_k: format("q6_k", 6.56, "fp16", true),
  q5_k_m: format("q5_k_m", 5.69, "fp16", true),
  q4_k_m: format("q4_k_m", 4.85, "fp16", true),
  q4_0: format("q4_0", 4.5, "fp16", true),
  q3_k_m: format("q3_k_m", 3.91, "fp16", true),
  q2_k: format("q2_k", 3.0, "fp16", true),
  int8: format("int8", 8, "fp16"),
  int4: format("int4", 4.5, "fp16", true),
  "6bit": format("6bit", 6.5, "fp16", true),
  fp8: format("fp8", 8, "fp8"),
  fp4: format("fp4", 4.5, "fp4"),
  // As gpt-oss was published: the experts alone are MXFP4, the rest is bf16.
  mxfp4: { ...format("mxfp4", 4.25, "fp4"), outsideBits: 16 },
  bfp8_bfp4: format("bfp8_bfp4", 5.5, "fp8"),
} satisfies Record<string, WeightFormat>;

export type WeightFormatId = keyof typeof weightFormats;
export const weightFormatIds: readonly string[] = Object.keys(weightFormats);

/** A format by its id; undefined if there is none. */
export const weightFormat = (id: string): WeightFormat | undefined =>
  Object.entries(weightFormats).find(([known]) => known === id)?.[1];

const spellings: readonly (readonly [RegExp, WeightFormatId])[] = [
  [/bfp8|bfp4/, "bfp8_bfp4"],
  [/mxfp4/, "mxfp4"],
  [/mxint4/, "int4"],
  [/nvfp4|fp4/, "fp4"],
  [/fp16\/int8/, "int8"],
  [/fp8|e4m3/, "fp8"],
  [/q8|8-?bit gguf/, "q8_0"],
  [/int8|w8a8/, "int8"],
  [/q6|6-?bit/, "q6_k"],
  [/q5|5-?bit/, "q5_k_m"],
  [/q4_0|q4f16|q4f32/, "q4_0"],
  [/int4|awq|gptq|w4a16|4-?bit/, "int4"],
  [/q4/, "q4_k_m"],
  [/q3|3-?bit/, "q3_k_m"],
  [/q2|2-?bit/, "q2_k"],
  [/bf16|bfloat16/, "bf16"],
  [/f16|fp16|half/, "f16"],
  [/f32|fp32/, "f32"],
  [/8-?bit/, "int8"],
];

/** A format as a table spells it ("Q4_K_M", "mxfp4/f16 gguf"); undefined where it says nothing. */
export function weightFormatNamed(text: string): WeightFormat | undefined {
  const lower = text.toLowerCase();
  const found = spellings.find(([pattern]) => pattern.test(lower));
  return found && weightFormats[found[1]];
}
