import type { Report } from "./report_types";

/** The whole report as JSON, for programs that want figures with their text. */
export const json = (report: Report): string => `${JSON.stringify(report, null, 2)}\n`;
