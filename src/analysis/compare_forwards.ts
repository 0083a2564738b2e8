// Whole models of two results side by side: the time to the first token, that of a free-running step, and that of a step
// whose token is read back.

import { caseOf, type ForwardSamples, forwardName, type MeasuredForward } from "../forward_result";
import type { Result } from "../result";
import { drift } from "../statistics";
import type { LoneCell, Middle, Ratio } from "./compare";
import type { Estimate } from "./estimate";
import { stepStatistics } from "./forward";
import { DRIFTED } from "./oddities";

/** What of a whole model is compared. */
const forwardFigures = ["TTFT", "TPOT", "TPOT, each token read back", "TPOT, sustained"] as const;
export type ForwardFigure = (typeof forwardFigures)[number];

export interface ForwardComparison {
  /** "llama-3.2-1b pp512+tg128 f32". */
  readonly name: string;
  readonly figure: ForwardFigure;
  /** Seconds. */
  readonly a: Estimate;
  readonly b: Estimate;
  readonly ratio: Ratio;
  /** Why nothing is said about it although the intervals might. */
  readonly doubt: string | undefined;
  /** What else was not the same about the two runs: it may explain the difference. */
  readonly remarks: readonly string[];
}

function timesOf(run: MeasuredForward, figure: ForwardFigure): ForwardSamples | undefined {
  switch (figure) {
    case "TTFT":
      return run.prefill.times;
    case "TPOT":
      return run.decode.times;
    case "TPOT, each token read back":
      return run.interactive;
    case "TPOT, sustained":
      return run.sustained?.times;
  }
}

/** Runs of whole models by name; the last of a name counts. */
const runsOf = ({ forwards }: Result): Map<string, MeasuredForward> =>
  new Map(
    forwards.flatMap((each) =>
      each.status === "measured" ? [[forwardName(caseOf(each)), each] as const] : [],
    ),
  );

const driftOf = (times: ForwardSamples): number =>
  times.kind === "samples" ? (drift(times.seconds) ?? 0) : 0;

/** A run and its samples of a figure. */
interface Side {
  readonly run: MeasuredForward;
  readonly times: ForwardSamples;
}

/** Why times of two runs do not bear a verdict: the first reason that is found. */
function doubtOf(sideA: Side, sideB: Side, figure: ForwardFigure): string | undefined {
  const [a, b] = [sideA.run, sideB.run];
  for (const [side, { run, times }] of [
    ["A", sideA],
    ["B", sideB],
  ] as const) {
    if (run.hidden) return `the page of ${side} was hidden meanwhile`;
    if (stepStatistics(times).count < 2) return `${side} is a single sample`;
  }
  // A step gets longer with its KV cache, in both alike: a change of speed is what one has and the other has not.
  const [inA, inB] = [driftOf(sideA.times), driftOf(sideB.times)];
  if (Math.abs(inA - inB) >= DRIFTED)
    return `the speed of ${Math.abs(inA) > Math.abs(inB) ? "A" : "B"} changed meanwhile`;
  if ((figure === "TPOT" || figure === "TPOT, sustained") && a.decode.clock !== b.decode.clock)
    return `timed by ${a.decode.clock} in A and by ${b.decode.clock} in B`;
  return undefined;
}

function remarksOf(a: MeasuredForward, b: MeasuredForward, figure: ForwardFigure): string[] {
  const layers = ({ residentLayers, ofLayers }: MeasuredForward) => `${residentLayers} of ${ofLayers} layers`;
  const unlike = (of: (run: MeasuredForward) => string | number, say: (a: string, b: string) => string) => {
    const [ofA, ofB] = [String(of(a)), String(of(b))];
    return ofA === ofB ? [] : [say(ofA, ofB)];
  };
  return [
    ...unlike(layers, (ofA, ofB) => `${ofA} in memory in A and ${ofB} in B`),
    ...(figure === "TTFT"
      ? [
          ...unlike(
            ({ chunk }) => chunk,
            (ofA, ofB) => `read in chunks of ${ofA} tokens in A and of ${ofB} in B`,
          ),
          ...unlike(
            ({ prefill }) => prefill.dispatches,
            (ofA, ofB) => `${ofA} dispatches in A and ${ofB} in B`,
          ),
        ]
      : [
          ...unlike(
            ({ decode }) => decode.steps,
            (ofA, ofB) => `${ofA} tokens written in A and ${ofB} in B`,
          ),
          ...unlike(
            ({ decode }) => decode.dispatches,
            (ofA, ofB) => `${ofA} dispatches per step in A and ${ofB} in B`,
          ),
        ]),
  ];
}

/** Every figure of every whole model that both results have. `ratioOf` is how cells are compared. */
export function compareForwards(
  a: Result,
  b: Result,
  ratioOf: (a: Middle, b: Middle) => Ratio,
): ForwardComparison[] {
  const inB = runsOf(b);
  return [...runsOf(a)].flatMap(([name, runA]) => {
    const runB = inB.get(name);
    if (runB === undefined) return [];
    return forwardFigures.flatMap((figure): ForwardComparison[] => {
      const [timesA, timesB] = [timesOf(runA, figure), timesOf(runB, figure)];
      if (timesA === undefined || timesB === undefined) return [];
      const [ofA, ofB] = [stepStatistics(timesA), stepStatistics(timesB)];
      const doubt = doubtOf({ run: runA, times: timesA }, { run: runB, times: timesB }, figure);
      const ratio = ratioOf(ofA, ofB);
      return [
        {
          name,
          figure,
          a: { value: ofA.median, low: ofA.low, high: ofA.high },
          b: { value: ofB.median, low: ofB.low, high: ofB.high },
          ratio: doubt === undefined ? ratio : { ...ratio, verdict: "cannot tell" },
          doubt,
          remarks: remarksOf(runA, runB, figure),
        },
      ];
    });
  });
}

/** The whole models of one side that the other does not have, with what became of them there. */
export function loneForwards(a: Result, b: Result): LoneCell[] {
  const inB = runsOf(b);
  return [...runsOf(a)].flatMap(([name]) => {
    if (inB.has(name)) return [];
    const other = b.forwards.findLast((each) => forwardName(caseOf(each)) === name);
    const elsewhere =
      other === undefined || other.status === "measured"
        ? "not run whole"
        : `${other.status}: ${other.reason}`;
    return [{ name: `${name}, run whole`, elsewhere, failed: other?.status === "failed" }];
  });
}
