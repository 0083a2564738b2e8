// A result in a link: "#r=<version>.<checksum>.<payload>". The payload is the whole Result but for two
// things: samples are thinned to what a report reads of them (five order statistics per cell, what is odd, and the
// medians and the noise of the reference kernel, seven per figure of a whole model), and what was tried while tuning, first runs, output hashes,
// cache-hot and sustained times are left out. Headline figures stay the same to the digit. Version 1 is deflated
// JSON of arrays in base64url; the checksum is the CRC-32 of the payload's text.

import { parseResult, type Result, type ResultOutcome } from "../result";
import { pack, unpack } from "./link_packing";
import { condense, expand } from "./link_phrases";

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

/** The fragment of a link, with its "#". */
export async function encodeLink(result: Result): Promise<string> {
  const payload = toBase64url(await deflate(condense(JSON.stringify(pack(result)))));
  return `#r=${VERSION}.${checksum(payload)}.${payload}`;
}

/**
 * Reads a link, or the fragment of one. Never throws: links are hostile. A link that is cut, altered, too
 * long, too large or from a newer version gives one line that says so.
 */
export async function decodeLink(link: string): Promise<ResultOutcome> {
  const problem = (text: string): ResultOutcome => ({ ok: false, problem: text });
  if (link.length > MAX_CHARACTERS) return problem("this link is longer than 64 KiB: not a Tokenroof link");
  const match = /#r=([1-9]\d{0,5})\.([0-9a-f]{8})\.([\w-]+)$/.exec(link);
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
    const json = text && expand(text, MAX_INFLATED);
    if (json === undefined) return problem("this link does not hold a result, or one of more than 1 MiB");
    const outcome = parseResult(unpack(JSON.parse(json)));
    return outcome.ok ? outcome : problem(`this link holds no valid result: ${outcome.problem}`);
  } catch {
    return problem("this link does not hold a result");
  }
}
