// Work handed to the GPU in submits that no driver loses patience with.

/** No submit is planned to keep the GPU busy much longer: drivers take a device away that does not answer. */
const SUBMIT_SECONDS = 0.1;

/** No dispatch of a whole model is planned to take longer: a submit has one at least. */
export const DISPATCH_SECONDS = 0.5;

/**
 * Seconds that something took which was planned for one submit: what was measured, or as long as one may take where a
 * coarse clock has seen nothing pass.
 */
export const secondsSeen = (measured: number): number => (measured > 0 ? measured : SUBMIT_SECONDS);

/** How many go into a submit, one at least, where `count` of them took `seconds`. */
export const countPerSubmit = (count: number, seconds: number): number =>
  Math.max(1, Math.floor((SUBMIT_SECONDS * count) / secondsSeen(seconds)));

/** Encodes commands and submits them. */
export function submit(device: GPUDevice, encode: (encoder: GPUCommandEncoder) => void): void {
  const encoder = device.createCommandEncoder();
  encode(encoder);
  device.queue.submit([encoder.finish()]);
}

/**
 * Submits one piece after another with no more than two under way, where `done` waits for what was submitted: the GPU
 * never waits, and no wait is for more.
 */
export async function paced(pieces: readonly (() => void)[], done: () => Promise<unknown>): Promise<void> {
  let [before, latest]: (Promise<unknown> | undefined)[] = [];
  for (const piece of pieces) {
    await before;
    piece();
    [before, latest] = [latest, done()];
    // Whoever ends meanwhile leaves it unawaited.
    latest.catch(() => {});
  }
  await before;
  await latest;
}
