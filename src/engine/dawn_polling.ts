// Dawn in Node asks for finished work in a loop while a promise of the GPU is pending, which takes a core
// away from a software adapter. Sleeping through most of the expected time first leaves the core alone.
// https://github.com/dawn-gpu/node-webgpu

import { type Clock, sleep } from "./clock";

/** Sleeps through `expected` seconds, but for the last twentieth. */
export const sleepThrough = (clock: Clock, expected: number): Promise<void> => sleep(clock, 0.95 * expected);
