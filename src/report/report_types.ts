// What a report is made of: text that is ready to be read, and series that are ready to be drawn.

import type { Estimate } from "../analysis/estimate";

export interface Report {
  readonly title: string;
  readonly subtitle: string;
  /** The numbers are a CPU's: say so wherever they appear. */
  readonly software: boolean;
  readonly warnings: readonly string[];
  readonly headlines: readonly Headline[];
  readonly tables: readonly Table[];
  /** Each chart with the table that says the same in text. */
  readonly comparisons: readonly { readonly chart: Bars; readonly table: Table }[];
  readonly rooflines: readonly { readonly chart: Roofline; readonly table: Table }[];
  /** Where the time of a step goes, and how figures compare; the tables of all of them are among the tables. */
  readonly breakdowns?: readonly { readonly chart: Groups; readonly table: Table }[];
  readonly curves?: readonly { readonly chart: Lines; readonly table: Table }[];
}

/** The figure of one workload in one type. */
export interface Headline {
  readonly workload: string;
  readonly model?: string;
  readonly phase: "prefill" | "decode" | "kernel";
  readonly dtype: string;
  /** Tokens per second with interval; for single kernels their rate. */
  readonly main: string;
  readonly mainValue: number;
  /** FLOP/s or B/s with interval; for single kernels the one that does not bind them. */
  readonly rate: string;
  readonly share: string;
  /** Where the workload was run whole and the figures are of that: that it was, and what its kernels add up to. */
  readonly whole?: string;
  /** What it comes down to, in a sentence. */
  readonly meaning: string;
}

export interface Cell {
  readonly text: string;
  /** Where the figure comes from. */
  readonly title?: string | undefined;
  readonly href?: string;
  /** The figure for programs, in the unit that its column names or in its own. */
  readonly number?: Estimate & { readonly unit?: string };
}

export interface Table {
  readonly title: string;
  readonly note?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Where rows can be ordered: a key for each column, and how they are now. */
  readonly order?: {
    readonly keys: readonly string[];
    readonly by: string;
    readonly descending: boolean;
  };
  /** Of what each row is about, where it is one chip. */
  readonly ids?: readonly string[];
}

export interface Bars {
  readonly kind: "bars";
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Shares of a whole are linear; speeds of a card and of a rack are not. */
  readonly scale: "linear" | "logarithmic";
  /** What to know before comparing bars. */
  readonly note: string;
  readonly bars: readonly {
    readonly name: string;
    readonly value: number;
    readonly own: boolean;
    readonly source: string;
  }[];
}

/** Several values for each of several things: stacked to a whole, or side by side. */
export interface Groups {
  readonly kind: "groups";
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly stacked: boolean;
  readonly note: string;
  readonly groups: readonly string[];
  /** A value for each group, null where there is none, and what is behind it. */
  readonly series: readonly {
    readonly name: string;
    /** What was measured, what it is held against, or one of many. */
    readonly tone: "own" | "beside" | "one of many";
    readonly values: readonly (number | null)[];
    readonly sources: readonly string[];
  }[];
}

export interface Roofline {
  readonly kind: "roofline";
  readonly id: string;
  readonly title: string;
  /** FLOP/s and byte/s. */
  readonly roofs: readonly {
    readonly name: string;
    readonly flops: number;
    readonly bandwidth: number;
    readonly own: boolean;
    readonly source: string;
  }[];
  /** What the points are. */
  readonly evidence: "measured" | "predicted";
  /** FLOP/byte, FLOP/s and byte/s. */
  readonly points: readonly {
    readonly name: string;
    /** The roof it lies under, by name; that of the measured device where there is none. */
    readonly under?: string;
    readonly phase: Headline["phase"];
    readonly intensity: number;
    readonly flops: number;
    readonly bytesPerSecond: number;
  }[];
}

/** Curves through points, both axes logarithmic unless it says otherwise. */
export interface Lines {
  readonly kind: "lines";
  readonly id: string;
  readonly title: string;
  /** What the axes are, with units. */
  readonly x: string;
  readonly y: string;
  readonly scale?: "linear" | "logarithmic";
  readonly lines: readonly {
    readonly name: string;
    readonly own: boolean;
    readonly points: readonly {
      readonly x: number;
      readonly y: number;
      readonly label: string;
      /** The ends of the interval of y. */
      readonly low?: number;
      readonly high?: number;
      /** A short name that stands beside the point. */
      readonly mark?: string;
    }[];
  }[];
}
