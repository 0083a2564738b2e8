// What a planted fault is: a text to write into a shader in place of another, and a shape and choices at which the
// kernel is then wrong. The faults themselves are data, a file per family of kernels.

import { type AnyShape, type KernelName, kernelOf } from "../../../src/kernels";
import { type Choice, choiceName, variantOf } from "../../../src/kernels/choices";
import type { DType } from "../../../src/kernels/elements";
import type { Adapter } from "../adapter";

/** A name, the text to look for, what stands there instead, and how often the text is found: once where absent. */
type Plant = readonly [name: string, from: string, to: string, times?: number];

export interface FaultGroup {
  readonly kernel: KernelName;
  /** Stem of the shader whose text is changed; the kernel's name where absent. */
  readonly shader?: string;
  readonly shape: AnyShape;
  /** The choices at which it is wrong, by their names. */
  readonly tunings: RegExp;
  /** What only some adapters have; without it the fault is skipped where no choice is left. */
  readonly needs?: string;
  /** f32 where absent. */
  readonly dtype?: DType;
  /** Adapters that run the kernel as if the fault were not there. */
  readonly benign?: readonly Adapter[];
  readonly plants: readonly Plant[];
}

export interface Fault extends Omit<FaultGroup, "plants"> {
  readonly name: string;
  readonly shader: string;
  readonly dtype: DType;
  readonly from: string;
  readonly to: string;
  readonly times: number;
  /** A barrier less: an adapter may win the race. */
  readonly race: boolean;
}

const BARRIER = "workgroupBarrier();";

/** The text with the barrier in front of it, and without. */
export const barrier = (text: string): [string, string] => [BARRIER + text, text];

export const MKN = (M: number, N: number, K: number) => ({ M, N, K });

/** batch, queries, keys, heads, kvHeads, headDim, window. */
export const heads = (shape: [number, number, number, number, number, number, number]) => {
  const [batch, queries, keys, heads, kvHeads, headDim, window] = shape;
  return { batch, queries, keys, heads, kvHeads, headDim, window };
};

export const faultsOf = (groups: readonly FaultGroup[]): Fault[] =>
  groups.flatMap(({ plants, dtype = "f32", shader, ...group }) =>
    plants.map(([name, from, to, times = 1]) => ({
      ...group,
      name,
      shader: shader ?? group.kernel,
      dtype,
      from,
      to,
      times,
      race: from.includes(BARRIER),
    })),
  );

/** Whether a choice runs the shader with the fault, at a tuning where it matters. */
export const suffers = ({ kernel, shader, tunings }: Fault, choice: Choice): boolean =>
  shader in variantOf(kernelOf(kernel), choice).shaders && tunings.test(choiceName(kernelOf(kernel), choice));

/** Every shader as it is, by the record that holds it. */
const sound = new Map<Readonly<Record<string, string>>, Readonly<Record<string, string>>>();

/** Plants a fault. Throws where its text is not found as often as stated: nothing would be planted. */
export function plant({ kernel, shader, name, from, to, times }: Fault): void {
  const holders = Object.values(kernelOf(kernel).variants).filter(({ shaders }) => shader in shaders);
  if (holders.length === 0) throw new Error(`${kernel}, ${name}: no variant has a shader ${shader}`);
  for (const { shaders } of holders) {
    if (!sound.has(shaders)) sound.set(shaders, { ...shaders });
    const parts = shaders[shader]?.split(from) ?? [];
    if (parts.length !== times + 1 || from === to) {
      throw new Error(`${kernel}, ${name}: found ${parts.length - 1} times, not ${times}: ${from}`);
    }
    Object.assign(shaders, { [shader]: parts.join(to) });
  }
}

export function removeFaults(): void {
  for (const [shaders, texts] of sound) Object.assign(shaders, texts);
}
