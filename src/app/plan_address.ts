// Plans as addresses of the page have them, and as scripts give them.

import * as v from "valibot";
import { type Plan, parsePlanWords, planPairs, planSchema } from "../plan";

/** The page's address for a plan: what differs from the defaults and nothing else. */
export function address(plan: Plan): string {
  const pairs = planPairs(plan).map(
    ([key, value]) => `${key}=${value.split(",").map(encodeURIComponent).join(",")}`,
  );
  return pairs.length === 0 ? location.pathname : `?${pairs.join("&")}`;
}

/** A plan as words or as an object. */
export function readPlan(given: string | Plan): { ok: true; plan: Plan } | { ok: false; problem: string } {
  if (typeof given === "string") return parsePlanWords(given.split(/\s+/).filter(Boolean));
  const parsed = v.safeParse(planSchema, given);
  if (parsed.success) return { ok: true, plan: parsed.output };
  const [issue] = parsed.issues;
  return { ok: false, problem: `plan.${issue.path?.map(({ key }) => key).join(".")}: ${issue.message}` };
}
