// What everything that comes from outside is held to: results, links, files and adapters may say anything.

import * as v from "valibot";

/** Control characters would reach the reader's terminal. */
export const text = v.pipe(
  v.string(),
  v.maxLength(400),
  v.transform((given) => given.replace(/\p{C}/gu, " ")),
);
export const seconds = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e6));
export const positive = v.pipe(v.number(), v.finite(), v.minValue(1e-12), v.maxValue(1e6));
/** An error as a share of a magnitude. */
export const share = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e9));
export const whole = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max));

/** What is wrong with a field, in one line with its path; `whole` is what the path begins at. */
export function problemOf(issue: v.BaseIssue<unknown>, whole: string): string {
  const path = issue.path?.map(({ key }) => String(key)).join(".") ?? whole;
  const problem = `${path.slice(0, 120)}: ${issue.message.slice(0, 200)}`;
  return problem.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");
}
