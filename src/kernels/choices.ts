// The search space of a kernel: every way to compute it that a tuner may choose from.

import type { AnyTuning, Kernel } from "./kernel";

/** A variant of a kernel and how it goes about it. Plain data. */
export interface Choice {
  readonly variant: string;
  readonly tuning: AnyTuning;
}

type Anything<Shape> = Pick<Kernel<Shape>, "variants">;

/** The variant of a choice. Throws where the kernel has none of that name. */
export function variantOf<Shape>(kernel: Anything<Shape>, { variant }: Choice) {
  const found = kernel.variants[variant];
  if (found === undefined) throw new Error(`there is no variant ${variant}`);
  return found;
}

/** A choice in a few words, as results name it. */
export const choiceName = <Shape>(kernel: Anything<Shape>, choice: Choice): string =>
  variantOf(kernel, choice).describe(choice.tuning);

/** Where a search may begin: every variant's safest start, then their second ones, and so on. */
export function starts<Shape>({ variants }: Anything<Shape>): Choice[] {
  const all = Object.entries(variants).flatMap(([variant, { starts }]) =>
    starts.map((tuning, rank) => ({ rank, choice: { variant, tuning } })),
  );
  return all.sort((a, b) => a.rank - b.rank).map(({ choice }) => choice);
}

/** What is used where nothing is searched. */
export function defaultChoice<Shape>(kernel: Anything<Shape>): Choice {
  const [first] = starts(kernel);
  if (first === undefined) throw new Error("a kernel without a tuning");
  return first;
}

/** The choices that differ from this one by one step of one parameter. */
export function neighbours<Shape>(kernel: Anything<Shape>, choice: Choice): Choice[] {
  const { space } = variantOf(kernel, choice);
  return Object.entries(space).flatMap(([parameter, values]) => {
    const at = values.indexOf(choice.tuning[parameter] ?? Number.NaN);
    return [values[at - 1], values[at + 1]].flatMap((value) =>
      at < 0 || value === undefined
        ? []
        : [{ variant: choice.variant, tuning: { ...choice.tuning, [parameter]: value } }],
    );
  });
}

/** Whether a choice lies in the kernel's space: what a file or an older version calls a tuning may not. */
export function isChoice<Shape>(kernel: Anything<Shape>, { variant, tuning }: Choice): boolean {
  const space = Object.hasOwn(kernel.variants, variant) ? kernel.variants[variant]?.space : undefined;
  if (space === undefined || Object.keys(space).length !== Object.keys(tuning).length) return false;
  return Object.entries(space).every(([parameter, values]) =>
    values.includes(tuning[parameter] ?? Number.NaN),
  );
}
