// The views of the race: what each has to show, and each as a report that every format can write.

import type { Lines, Report, Roofline, Table } from "../report_types";
import { compareTable } from "./compare";
import { type Contestant, contestant, pickedOf } from "./contestant";
import { demandTable, hardwareTable, tokenTable } from "./cost";
import type { RaceEntry } from "./entry";
import { figureTable } from "./figures";
import { raceFrontier } from "./frontier";
import { handoverTable } from "./handover";
import { assumptionTable, breakEvenTable } from "./own_or_api";
import { lifetimeTable, phasesTable } from "./phases";
import { type Question, questionWords } from "./question";
import { raceRoofline } from "./roofline";

export const viewNames = ["compare", "roofline", "frontier", "cost", "split"] as const;
export type ViewName = (typeof viewNames)[number];

export interface RaceView {
  readonly name: ViewName;
  readonly title: string;
  /** Each chart with the table that says the same. */
  readonly charts: readonly { readonly chart: Roofline | Lines; readonly table: Table }[];
  readonly tables: readonly Table[];
  /** What the figures above rest on: shown on request. */
  readonly sources: readonly Table[];
}

const titles: Readonly<Record<ViewName, string>> = {
  compare: "Compare",
  roofline: "Roofline",
  frontier: "Frontier",
  cost: "Cost and energy",
  split: "Training, prefill, decode",
};

type Parts = Partial<Pick<RaceView, "charts" | "tables" | "sources">>;

const parts: Readonly<Record<ViewName, (entries: readonly RaceEntry[], question: Question) => Parts>> = {
  compare: (entries, question) => ({
    tables: [compareTable(entries, question)],
    sources: [figureTable(pickedOf(entries, question))],
  }),
  roofline: (entries, question) => ({ charts: [raceRoofline(entries, question)] }),
  frontier: (entries, question) => ({ charts: [raceFrontier(entries, question)] }),
  cost: (entries, question) => {
    const asked = askedOf(entries, question);
    return {
      tables: [
        tokenTable(asked, question),
        hardwareTable(asked, question),
        demandTable(asked, question),
        breakEvenTable(asked, question),
      ],
      sources: [assumptionTable(question)],
    };
  },
  split: (entries, question) => {
    const asked = askedOf(entries, question);
    return {
      tables: [
        phasesTable(asked, question),
        lifetimeTable(asked, question),
        handoverTable(entries, question),
      ],
    };
  },
};

const askedOf = (entries: readonly RaceEntry[], question: Question): Contestant[] =>
  pickedOf(entries, question).map((entry) => contestant(entry, question));

/** One view of the race. Pure. */
export const raceView = (name: ViewName, entries: readonly RaceEntry[], question: Question): RaceView => ({
  name,
  title: titles[name],
  charts: [],
  tables: [],
  sources: [],
  ...parts[name](entries, question),
});

/** A view as a report: Markdown, CSV and JSON are written from it like from any other. */
export function raceReport({ title, charts, tables, sources }: RaceView, question: Question): Report {
  return {
    title: `Among the chips: ${title}`,
    subtitle: questionWords(question) || "the default question",
    software: false,
    warnings: [],
    headlines: [],
    tables: [...tables, ...sources],
    comparisons: [],
    rooflines: charts.flatMap(({ chart, table }) => (chart.kind === "roofline" ? [{ chart, table }] : [])),
    curves: charts.flatMap(({ chart, table }) => (chart.kind === "lines" ? [{ chart, table }] : [])),
  };
}
