// Tunings in IndexedDB, where the next load of the page finds them. Without storage a run is the same, only that
// it searches again.

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { type KnownTuning, keyOf, merge, parseTuning } from "../tuning_records";
import { answered } from "./storage_deadline";

/** A database of its own, as each thing has that the page stores. */
const DATABASE = "tokenroof-tunings";
const STORE = "tunings";

interface Schema extends DBSchema {
  tunings: { key: string; value: unknown };
}

const open = (): Promise<IDBPDatabase<Schema>> =>
  openDB<Schema>(DATABASE, 1, { upgrade: (database) => void database.createObjectStore(STORE) });

async function withDatabase<T>(work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
  const database = await answered(open(), (late) => late.close());
  try {
    return await answered(work(database));
  } finally {
    database.close();
  }
}

/** What was stored, which anybody may have written: what is no record is passed over. */
const parsed = (stored: readonly unknown[]): KnownTuning[] =>
  stored.map(parseTuning).filter((record) => record !== undefined);

/** What is stored; undefined where this browser stores nothing. Never rejects. */
export async function storedTunings(): Promise<readonly KnownTuning[] | undefined> {
  try {
    return parsed(await withDatabase((database) => database.getAll(STORE)));
  } catch {
    return undefined;
  }
}

/** Adds records to what is stored; false where this browser does not store them. Never rejects. */
export async function storeTunings(records: readonly KnownTuning[]): Promise<boolean> {
  try {
    await withDatabase(async (database) => {
      // In one transaction: another tab may be storing too.
      const { store, done } = database.transaction(STORE, "readwrite");
      const [keys, values] = await Promise.all([store.getAllKeys(), store.getAll()]);
      const before = parsed(values);
      const after = merge(before, records);
      const kept = new Set(after.map(keyOf));
      await Promise.all([
        ...keys.filter((key) => !kept.has(key)).map((key) => store.delete(key)),
        ...after
          .filter((record) => !before.includes(record) || !keys.includes(keyOf(record)))
          .map((record) => store.put(record, keyOf(record))),
        done,
      ]);
    });
    return true;
  } catch {
    return false;
  }
}
