// The published rows as cases, with the chips they were measured on.

import * as v from "valibot";
import { publishedRowSchema } from "../src/analysis/prediction/published_row";
import { type Case, caseOf } from "../src/analysis/prediction/row_case";
import { chip } from "../src/chips";
import published from "./published.json";

export const publishedRows = v.parse(v.array(publishedRowSchema), published);

/** Rows that can be predicted at all, and the reasons why others cannot. */
export function calibrationCases(): { cases: Case[]; left: { id: string; error: string }[] } {
  const cases: Case[] = [];
  const left: { id: string; error: string }[] = [];
  for (const row of publishedRows) {
    const outcome = caseOf(row, chip(row.chipId));
    if ("error" in outcome) left.push({ id: row.id, error: outcome.error });
    else cases.push(outcome);
  }
  return { cases, left };
}
