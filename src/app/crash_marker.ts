// What is left of a run when the page itself goes: closed, reloaded, crashed. It is kept in IndexedDB while the run
// goes on and deleted at its end, so that what is there when a page opens is a run that was cut short. The run also
// holds a lock, which ends with its page whatever happens to that: a marker whose lock is held belongs to a live tab.
//
// Storage may be refused, full, or never answer. Nobody waits on it: without it a run is the same, and cannot be
// resumed.

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import * as v from "valibot";
import type { Progress } from "../engine/run";
import { forwardName } from "../forward_result";
import { parsePlan, planPairs, workloadsOf } from "../plan";
import { parseResult, type Result } from "../result";
import { trainingName } from "../training_result";
import { callName, type Workload } from "../workloads";
import { asPartial, withFailed } from "./interruption";
import { answered, deadline } from "./storage_deadline";

/** What is stored. */
export interface Marker {
  /** What was measured, as a partial result in which the cell under way has failed. */
  readonly result: Result;
  /** How many cells the run had. */
  readonly cells: number;
}

/** A run that was cut short. */
export interface Interrupted extends Marker {
  /** The cell at which it was; undefined where it was between two. */
  readonly cell: string | undefined;
  /**
   * Whether it can be gone on with: by the same build in the same browser, or the two halves of its result would not
   * have been measured alike.
   */
  readonly resumable: boolean;
}

/** A database of its own: what else the page may store has nothing to do with this. */
const DATABASE = "tokenroof-interrupted";
const STORE = "run";
const KEY = "last";
const LOCK = "tokenroof-run";

const PAGE_ENDED = "the page was closed, reloaded or crashed while this ran";

interface Schema extends DBSchema {
  run: { key: string; value: unknown };
}

/** Takes the lock, and resolves with what lets go of it. Rejects where another tab keeps it. */
function lock(): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const hold = () => {
      resolve(release);
      return released;
    };
    navigator.locks.request(LOCK, { signal: deadline() }, hold).catch(reject);
  });
}

/** The marker, while this page alone may touch it. */
interface Storage {
  read(): Promise<unknown>;
  write(marker: Marker): Promise<void>;
  remove(): Promise<void>;
  close(): void;
}

const open = (): Promise<IDBPDatabase<Schema>> =>
  openDB<Schema>(DATABASE, 1, { upgrade: (database) => void database.createObjectStore(STORE) });

async function openStorage(): Promise<Storage> {
  const release = await answered(lock(), (late) => late());
  try {
    const database = await answered(open(), (late) => late.close());
    return {
      read: () => answered(database.get(STORE, KEY)),
      write: (marker) => answered(database.put(STORE, marker, KEY).then(() => {})),
      remove: () => answered(database.delete(STORE, KEY)),
      close() {
        database.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

const markerSchema = v.strictObject({
  result: v.unknown(),
  cells: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000)),
});

function cellOf({ outcomes, forwards, trainings }: Result): string | undefined {
  const trained = trainings.at(-1);
  if (trained?.status === "failed" && trained.reason === PAGE_ENDED) return trainingName(trained);
  const whole = forwards.at(-1);
  if (whole?.status === "failed" && whole.reason === PAGE_ENDED) return forwardName(whole);
  const last = outcomes.at(-1);
  if (last?.status !== "failed" || last.error !== PAGE_ENDED) return undefined;
  return `${callName(last.call)} ${last.dtype}`;
}

const described = (workloads: readonly Workload[]) =>
  workloads
    .map(({ id, steps }) => [id, ...steps.map(({ call, count }) => `${count} ${callName(call)}`)].join())
    .join("\n");

function isResumable({ tool, host, plan, workloads }: Result): boolean {
  if (tool.version !== __VERSION__ || tool.commit !== __COMMIT__) return false;
  if (host.agent !== navigator.userAgent.slice(0, 400)) return false;
  const parsed = parsePlan(planPairs(plan));
  return parsed.ok && described(workloads) === described(workloadsOf(parsed.plan));
}

/** Reads what was stored, which anybody may have written. */
function parseMarker(stored: unknown): Interrupted | undefined {
  const marker = v.safeParse(markerSchema, stored);
  if (!marker.success) return undefined;
  const parsed = parseResult(marker.output.result);
  if (!parsed.ok) return undefined;
  const { result } = parsed;
  return { result, cells: marker.output.cells, cell: cellOf(result), resumable: isResumable(result) };
}

/** The run that was cut short, if there is one and no other tab has it under way. */
export async function findInterrupted(): Promise<Interrupted | undefined> {
  try {
    const storage = await openStorage();
    try {
      const stored = await storage.read();
      const found = stored === undefined ? undefined : parseMarker(stored);
      if (stored !== undefined && found === undefined) await storage.remove();
      return found;
    } finally {
      storage.close();
    }
  } catch {
    return undefined;
  }
}

/** Deletes what is left of a run that was cut short. */
export async function discardInterrupted(): Promise<void> {
  try {
    const storage = await openStorage();
    await storage.remove().finally(storage.close);
  } catch {
    // It will be offered once more.
  }
}

export interface Keeper {
  /** Keeps the state of the run in place of the one before. */
  keep(progress: Progress): void;
  /** The run has ended, and its result is at hand: there is nothing to be resumed. */
  end(): void;
}

/**
 * Keeps a run that begins, in place of what is left of another: `earlier` is what this one goes on with. Calls
 * back, once, when the browser does not store it.
 */
export function keepRun(earlier: Marker | undefined, onRefused: () => void): Keeper {
  const storage = openStorage();
  let refused = false;
  let newest: Marker | undefined;
  let last: Promise<void> = Promise.resolve();
  /** One after another, and none that the next has made useless. */
  const then = (work: (storage: Storage) => Promise<void>) => {
    last = last
      .then(async () => work(await storage))
      .catch(() => {
        if (!refused) onRefused();
        refused = true;
      });
  };
  const write = (marker: Marker) => {
    newest = marker;
    then(async (storage) => {
      if (!refused && marker === newest) await storage.write(marker);
    });
  };
  if (earlier === undefined) then((storage) => storage.remove());
  else write(earlier);
  return {
    keep({ result, cell, forward, training, total }) {
      const cut = withFailed(asPartial(result, PAGE_ENDED), { cell, forward, training }, PAGE_ENDED);
      // One of the units of a run is not a cell: calibration.
      write({ result: cut, cells: Math.max(1, total - 1) });
    },
    end() {
      then((storage) => storage.remove());
      void last.then(async () => (await storage).close()).catch(() => {});
    },
  };
}
