import { csv } from "./csv";
import { json } from "./json";
import { markdown } from "./markdown";
import type { Report } from "./report_types";

/** Report formats by name: a format is one function, listed here. */
export const formats = { markdown, json, csv } as const satisfies Record<string, (report: Report) => string>;

export type Format = keyof typeof formats;
