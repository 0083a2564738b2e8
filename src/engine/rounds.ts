// Rounds of spans, a short one and two long ones: each round is one sample, the slope of time over dispatches,
// in which what a submit and an await cost cancels out.

import type { Instruments, Stop } from "../result";
import { uniform } from "../statistics";
import { type Clock, SPANS_PER_ROUND, type Span, type Spans, samplesOf } from "../timing";
import type { Gpu } from "./device";
import { type Effort, enough, spanSeconds } from "./effort";
import type { Launch } from "./launch";
import { IN_FLIGHT, type Timer } from "./timer";

/** What times dispatches, and what is known of it. */
export interface Instrument {
  readonly gpu: Gpu;
  readonly timer: Timer;
  readonly instruments: Instruments;
}

export interface Rounds {
  readonly clock: Clock;
  readonly timing: Spans;
  readonly stopped: Stop;
}

/**
 * A long span has so many times the dispatches of the short one. Noise grows with a span's length, so the slope
 * rests on the long ones, two of them: 0.9 times the noise of a span, against 1.6 for spans of n, 2n and 3n.
 */
const LEVER = 5;

/** Counts are varied by up to this share, or a clock's steps would round every span of a size alike. */
const JITTER = 0.1;

/** Whether timestamps failed too often: in all of the first rounds, or in more than a quarter of many. */
const unsound = (sound: number, rounds: number): boolean =>
  (rounds >= 3 && sound === 0) || (rounds >= 8 && sound < 0.75 * rounds);

/**
 * Takes rounds until `effort` is content. `estimate` is the expected time of a dispatch in seconds. While
 * `interrupted` says so no further round is begun.
 */
export async function takeRounds(
  { gpu, timer, instruments }: Instrument,
  launch: Launch,
  estimate: number,
  effort: Effort,
  interrupted: () => boolean = () => false,
): Promise<Rounds> {
  const random = uniform(launch.seed);
  const began = gpu.clock.now();
  let clock: Clock = timer.timestamps ? "timestamp-query" : "wall";
  const spans: Span[] = [];
  let setAside: Spans["setAside"] = null;
  let count = 0;

  const next = (): Promise<Span[]> => {
    const total = SPANS_PER_ROUND * 2 * spanSeconds(instruments, clock === "timestamp-query", effort);
    const unit = total / (1 + 2 * LEVER) / estimate;
    const counted = (times: number, least: number) =>
      Math.max(least, Math.round(times * unit * (1 + JITTER * (2 * random() - 1))));
    const counts = [counted(LEVER, 2), counted(LEVER, 2)];
    // First, second and last by turns: a steady drift tilts one round's slope up and another's down.
    counts.splice(count++ % SPANS_PER_ROUND, 0, counted(1, 1));
    // The wall clock tells the end of one span from the next one's only where they are awaited apart.
    const round = timer.spans(launch, counts, estimate, clock === "wall" ? "apart" : undefined);
    // Another round may fail first; both are awaited in the end.
    round.catch(() => {});
    return round;
  };

  const pending: Promise<Span[]>[] = [];
  const timing = (): Spans => ({ kind: "spans", spans, setAside });
  for (;;) {
    while (pending.length < (timer.overlaps && clock !== "wall" ? IN_FLIGHT : 1)) pending.push(next());
    spans.push(...(await pending.shift()!));
    const rounds: number = spans.length / SPANS_PER_ROUND - (setAside?.rounds ?? 0);
    const samples = samplesOf(timing(), clock);
    if (clock === "timestamp-query" && unsound(samples.length, rounds)) {
      clock = "wall";
      // Rounds of another length, for another clock; what is under way still belongs to them.
      for (const round of pending.splice(0)) spans.push(...(await round));
      setAside = {
        rounds: spans.length / SPANS_PER_ROUND,
        reason: `timestamps made no sense in ${rounds - samples.length} of ${rounds} rounds`,
      };
      continue;
    }
    const stopped =
      interrupted() && samples.length > 0 ? "time" : enough(samples, gpu.clock.now() - began, effort);
    if (stopped === undefined) continue;
    for (const round of pending) spans.push(...(await round));
    return { clock, timing: timing(), stopped };
  }
}
