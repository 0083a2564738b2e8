// A result in a link: "#r=<version>.<checksum>.<payload>". The payload is the whole Result but for two
// things: raw samples are thinned to the seven order statistics per cell that a report reads, and the
// tunings that lost are left out. Headline figures stay the same to the digit. Version 1 is deflated JSON
// of arrays in base64url; the checksum is the CRC-32 of the payload's text.

import { secondsPerDispatch } from "../analysis/statistics";
import { type Outcome, parseResult, type Result, type ResultOutcome } from "../result";

const VERSION = 1;
const MAX_CHARACTERS = 64 * 1024;
const MAX_INFLATED = 1024 * 1024;

/** CRC-32 (ISO 3309) of ASCII text, in hexadecimal. */
function checksum(text: string): string {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, "0");
}

function toBase64url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

const fromBase64url = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));

async function deflate(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Inflates at most 1 MiB; undefined when there is more, or when it is no deflate stream. */
async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let size = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      size += value.byteLength;
      if (size > MAX_INFLATED) {
        await reader.cancel();
        return undefined;
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    return undefined;
  }
}

const digits = (value: number, count: number) => Number(value.toPrecision(count));

/** Objects with the same keys as arrays of their values, the keys once: most of a result is such lists. */
type Packed = unknown;

/** Replaces equal values by their place in a table. */
function interner() {
  const table: unknown[] = [];
  const places = new Map<string, number>();
  return {
    table,
    place(value: unknown): number {
      const key = JSON.stringify(value);
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, table.length);
      return table.push(value) - 1;
    },
  };
}

function packOutcome(outcome: Outcome, place: (value: unknown) => number): Packed {
  const head = [outcome.status, place(outcome.call), outcome.dtype];
  if (outcome.status === "skipped") return [...head, outcome.reason];
  if (outcome.status === "failed") return [...head, outcome.error];
  const { count, min, low, lowerQuartile, median, upperQuartile, high, max } = secondsPerDispatch(outcome);
  const { tuning, piece, pieces, rotation, clock, check, compileSeconds } = outcome;
  return [
    ...head,
    tuning,
    place(piece),
    pieces,
    rotation,
    clock,
    [count, min, low, lowerQuartile, median, upperQuartile, high, max],
    [check.elements, digits(check.error, 3), digits(check.tolerance, 3)],
    digits(compileSeconds, 3),
  ];
}

/** The result in the form that `unpack` reads. */
function pack(result: Result): Packed {
  const {
    schema,
    tool,
    createdAt,
    completion,
    host,
    device,
    instruments,
    plan,
    workloads,
    residency,
    outcomes,
  } = result;
  const calls = interner();
  const packedOutcomes = outcomes.map((outcome) => packOutcome(outcome, calls.place));
  const packedWorkloads = workloads.map(({ steps, ...rest }) => [
    rest,
    steps.map(({ label, count, call }) => [label, count, calls.place(call)]),
  ]);
  const rounded =
    instruments &&
    Object.fromEntries(Object.entries(instruments).map(([key, value]) => [key, value && digits(value, 3)]));
  const head = { schema, tool, createdAt, completion, host, device, instruments: rounded, plan, residency };
  return [head, calls.table, packedWorkloads, packedOutcomes];
}

const isArray = (value: unknown): value is unknown[] => Array.isArray(value);

function unpackOutcome(packed: unknown, calls: readonly unknown[]): unknown {
  if (!isArray(packed)) return packed;
  const [status, call, dtype, ...rest] = packed;
  const head = { status, call: calls[Number(call)], dtype };
  if (status === "skipped") return { ...head, reason: rest[0] };
  if (status === "failed") return { ...head, error: rest[0] };
  const [tuning, piece, pieces, rotation, clock, statistics, check, compileSeconds] = rest;
  if (!isArray(statistics) || !isArray(check)) return head;
  const [count, min, low, lowerQuartile, median, upperQuartile, high, max] = statistics;
  const [elements, error, tolerance] = check;
  return {
    ...head,
    tuning,
    piece: calls[Number(piece)],
    pieces,
    rotation,
    clock,
    timing: { kind: "order-statistics", count, min, low, lowerQuartile, median, upperQuartile, high, max },
    check: { elements, error, tolerance },
    compileSeconds,
  };
}

/** Anything at all -> what may be a Result; `parseResult` decides. */
function unpack(packed: unknown): unknown {
  if (!isArray(packed)) return undefined;
  const [head, calls, workloads, outcomes] = packed;
  if (!isArray(calls) || !isArray(workloads) || !isArray(outcomes) || typeof head !== "object")
    return undefined;
  return {
    ...head,
    workloads: workloads.map((each) => {
      const [rest, steps] = isArray(each) ? each : [];
      if (typeof rest !== "object" || !isArray(steps)) return undefined;
      return {
        ...rest,
        steps: steps.map((step) =>
          isArray(step) ? { label: step[0], count: step[1], call: calls[Number(step[2])] } : undefined,
        ),
      };
    }),
    tunings: [],
    outcomes: outcomes.map((outcome) => unpackOutcome(outcome, calls)),
  };
}

/** The fragment of a link, with its "#". */
export async function encodeLink(result: Result): Promise<string> {
  const payload = toBase64url(await deflate(JSON.stringify(pack(result))));
  return `#r=${VERSION}.${checksum(payload)}.${payload}`;
}

/**
 * Reads a link, or the fragment of one. Never throws: links are hostile. A link that is cut, altered, too
 * long, too large or from a newer version gives one line that says so.
 */
export async function decodeLink(link: string): Promise<ResultOutcome> {
  const problem = (text: string): ResultOutcome => ({ ok: false, problem: text });
  if (link.length > MAX_CHARACTERS) return problem("this link is longer than 64 KiB: not a Tokenroof link");
  const match = /#r=(\d{1,6})\.([0-9a-f]{8})\.([\w-]+)$/.exec(link);
  if (match === null) {
    return problem(
      link.includes("#r=") ? "this link is incomplete: copy it whole" : "not a Tokenroof link: it has no #r=",
    );
  }
  const [, version, sum, payload = ""] = match;
  if (Number(version) > VERSION) {
    return problem(
      `this link is of version ${version}, this Tokenroof reads up to ${VERSION}: open it with a newer one`,
    );
  }
  if (checksum(payload) !== sum) return problem("this link was cut or altered: its checksum does not match");
  try {
    const text = await inflate(fromBase64url(payload));
    if (text === undefined) return problem("this link does not hold a result, or one of more than 1 MiB");
    const outcome = parseResult(unpack(JSON.parse(text)));
    return outcome.ok ? outcome : problem(`this link holds no valid result: ${outcome.problem}`);
  } catch {
    return problem("this link does not hold a result");
  }
}
