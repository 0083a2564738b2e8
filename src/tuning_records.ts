// Tunings that outlive a run: what a search has found, by which version, on which adapter, in which browser, and
// when. They travel in files of their own and in results, and whoever reads them trusts neither.

import * as v from "valibot";
import { problemOf, text } from "./bounds";
import { type Preset, presets } from "./plan";
import { parseResult, type Result, type TuningRecord, tuningRecordSchema } from "./result";

const VERSION = 1;
const KIND = "tokenroof tunings";

/** Some twenty devices and browsers; beyond that the oldest go. */
export const MAX_RECORDS = 2000;

const knownTuningSchema = v.strictObject({
  ...tuningRecordSchema.entries,
  choice: v.nonNullable(tuningRecordSchema.entries.choice),
  /** The version of Tokenroof that searched. */
  tool: text,
  adapter: text,
  browser: text,
  /** How far the search went: presets search for different times. */
  preset: v.picklist(presets),
  madeAt: v.pipe(v.string(), v.maxLength(40), v.isoTimestamp()),
});

const tuningsSchema = v.strictObject({
  kind: v.literal(KIND),
  version: v.literal(VERSION),
  records: v.pipe(v.array(knownTuningSchema), v.maxLength(MAX_RECORDS)),
});

/** A record that a later run can take up. */
export type KnownTuning = v.InferOutput<typeof knownTuningSchema>;

/** The form in which tunings are exported. */
export type Tunings = v.InferOutput<typeof tuningsSchema>;

export const tuningsFile = (records: readonly KnownTuning[]): Tunings => ({
  kind: KIND,
  version: VERSION,
  records: [...records],
});

/** Where a run takes place: what tells whether a record is for it. */
export type Place = Pick<Result, "device" | "host"> & {
  readonly tool: Pick<Result["tool"], "version">;
  readonly plan: Pick<Result["plan"], "preset">;
};

/** The adapter by all of its names. */
export function adapterOf({ vendor, architecture, device, description }: Result["device"]): string {
  const names = [vendor, architecture, device, description].filter(Boolean).join(" ") || "unnamed adapter";
  return names.replace(/\p{C}/gu, " ").slice(0, 400);
}

/** Engines by their marks in user agents; those that also carry another's mark come first. */
const ENGINES = [
  ["Firefox", /Firefox\/(\d+)/],
  ["Chromium", /Chrome\/(\d+)/],
  ["Safari", /Version\/(\d+).*Safari/],
] as const;

/** The browser's engine with its major version, which brings its own shader compiler; elsewhere the whole of what the host says. */
export function browserOf({ kind, agent }: Result["host"]): string {
  const found = ENGINES.map(([name, mark]) => [name, mark.exec(agent)?.[1]] as const).find(
    ([, version]) => version !== undefined,
  );
  return kind === "browser" && found !== undefined
    ? found.join(" ")
    : agent.replace(/\p{C}/gu, " ").slice(0, 400);
}

/** What a record is of: two with the same key stand for each other. */
export const keyOf = ({ tool, adapter, browser, kernel, dtype, shapeClass }: KnownTuning): string =>
  JSON.stringify([tool, adapter, browser, kernel, dtype, shapeClass]);

/** The records of a probe's sweep stand for one shape each, sized for that run: no other class is sizes alone. */
const isOfSweep = ({ shapeClass }: TuningRecord) => /^\d+(x\d+)*$/.test(shapeClass);

/** The records of a result that a later run can take up. */
export function tuningsOf({ tunings, tool, device, host, plan, createdAt }: Result): KnownTuning[] {
  const place = { tool: tool.version, adapter: adapterOf(device), browser: browserOf(host) };
  const known = tunings.flatMap((record) =>
    record.choice === null || isOfSweep(record)
      ? []
      : [{ ...record, choice: record.choice, ...place, preset: plan.preset, madeAt: createdAt }],
  );
  return merge([], known);
}

const timeOf = ({ madeAt }: KnownTuning) => Date.parse(madeAt) || 0;

/** Whether a record takes the place of another of the same key: a search goes before a repetition of one, then the newer. */
const replaces = (record: KnownTuning, other: KnownTuning) =>
  record.reused === other.reused ? timeOf(record) >= timeOf(other) : other.reused;

/** All records with one of each key, newest first. */
export function merge(known: readonly KnownTuning[], added: readonly KnownTuning[]): KnownTuning[] {
  const all = new Map<string, KnownTuning>();
  for (const record of [...known, ...added]) {
    const other = all.get(keyOf(record));
    if (other === undefined || replaces(record, other)) all.set(keyOf(record), record);
  }
  return [...all.values()].sort((a, b) => timeOf(b) - timeOf(a)).slice(0, MAX_RECORDS);
}

/** Presets by how far they search. */
const depth: Readonly<Record<Preset, number>> = { smoke: 0, quick: 1, standard: 2, rigorous: 3 };

/**
 * Why a record is not for a run, or undefined where it is. Another version has other shaders and variants: its choice
 * would pass its check, and keep what is faster now from being found.
 */
export function reasonAgainst(record: KnownTuning, { tool, device, host, plan }: Place): string | undefined {
  if (record.adapter !== adapterOf(device)) return `made on ${record.adapter}`;
  if (record.browser !== browserOf(host))
    return `made with ${record.browser}, and this is ${browserOf(host)}`;
  if (record.tool !== tool.version) return `made by Tokenroof ${record.tool}, and this is ${tool.version}`;
  if (depth[record.preset] < depth[plan.preset])
    return `searched only as far as preset ${record.preset} goes`;
  return undefined;
}

export interface Sorted {
  readonly usable: readonly KnownTuning[];
  /** "2 made with Chromium 155, and this is Chromium 156"; the most frequent reason first. */
  readonly ignored: readonly string[];
}

/** Which records are for a run, and how many are not for which reason. */
export function sorted(records: readonly KnownTuning[], place: Place): Sorted {
  const counts = new Map<string, number>();
  const usable = records.filter((record) => {
    const reason = reasonAgainst(record, place);
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    return reason === undefined;
  });
  const ignored = [...counts].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} ${reason}`);
  return { usable, ignored };
}

/** Tunings, and whether a file of tunings held them or a result; or one line with the path and the reason. */
export type TuningsOutcome =
  | { ok: true; from: "tunings" | "result"; records: KnownTuning[] }
  | { ok: false; problem: string };

/** Reads exported tunings, or those of a result, from parsed JSON. Never throws: the input is hostile. */
export function parseTunings(input: unknown): TuningsOutcome {
  const given = typeof input === "object" && input !== null ? input : {};
  if ("schema" in given && !("kind" in given)) {
    const parsed = parseResult(input);
    return parsed.ok ? { ok: true, from: "result", records: tuningsOf(parsed.result) } : parsed;
  }
  if (!("kind" in given) || given.kind !== KIND)
    return { ok: false, problem: `neither tunings nor a result of Tokenroof: no kind "${KIND}", no schema` };
  if ("version" in given && typeof given.version === "number" && given.version > VERSION)
    return {
      ok: false,
      problem: `version ${given.version} is newer than this version of Tokenroof reads (${VERSION}): update it`,
    };
  const parsed = v.safeParse(tuningsSchema, input, { abortEarly: true });
  return parsed.success
    ? { ok: true, from: "tunings", records: merge([], parsed.output.records) }
    : { ok: false, problem: problemOf(parsed.issues[0], "tunings") };
}

/** One record as it was stored, or undefined where nobody can have made it. */
export function parseTuning(input: unknown): KnownTuning | undefined {
  const parsed = v.safeParse(knownTuningSchema, input, { abortEarly: true });
  return parsed.success ? parsed.output : undefined;
}
