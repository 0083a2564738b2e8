// What a self-test says of the instruments: verdicts on work whose answer is known.

import type { Instruments, Measurement, Reference } from "../result";
import { type Ratio, ratioOf } from "./compare";
import { type Estimate, rateOf, secondsPerCall, secondsPerDispatch } from "./estimate";
import { wander } from "./throttling";

/** A self-test as the engine measured it. */
export interface SelfTestCells {
  readonly instruments: Instruments;
  readonly reference: Reference;
  readonly copy: Measurement;
  readonly same: readonly [Measurement, Measurement];
  readonly planted: Measurement;
}

export interface SelfTestFindings {
  /** Byte/s, read and written. */
  readonly copyRate: Estimate;
  /** The same kernel against itself: anything but faster or slower is right. */
  readonly same: Ratio;
  /** The kernel with a tenth more to do against itself: slower is right. */
  readonly planted: Ratio;
  /** How much the device's own speed wandered meanwhile, as a share; verdicts allow for it. */
  readonly wandered: number;
  /** The smallest difference, as a share, that one pair of cells can tell here. */
  readonly resolves: number;
  /** Neither a difference where there is none, nor none where there is one. */
  readonly sound: boolean;
}

/** Judges a self-test. */
export function judgeSelfTest(test: SelfTestCells): SelfTestFindings {
  const {
    reference,
    copy,
    same: [first, second],
    planted,
  } = test;
  const wandered = wander({ reference });
  const usual = secondsPerDispatch(first);
  const words = copy.call.kernel === "copy" ? copy.call.shape.words : 0;
  const same = ratioOf(usual, secondsPerDispatch(second), Math.SQRT2 * wandered);
  const slower = ratioOf(usual, secondsPerDispatch(planted), Math.SQRT2 * wandered);
  return {
    copyRate: rateOf(2 * 16 * words, secondsPerCall(copy)),
    same,
    planted: slower,
    wandered,
    // A verdict needs the whole interval beyond the share that matters.
    resolves: same.high / same.value - 1 + 0.01,
    sound: same.verdict !== "faster" && same.verdict !== "slower" && slower.verdict === "slower",
  };
}
