// The header of a safetensors file: eight bytes that say how long it is, then JSON that says where each tensor lies.
// https://github.com/huggingface/safetensors#format

import * as v from "valibot";
import { problemOf } from "../bounds";
import { BadWeights, type ByteSource, quoted, readJsonFile, refuse } from "./byte_source";
import { elementsOf, type StoredTensor } from "./stored_tensor";

/** Bytes in front of the header. */
const PREFIX = 8;

/** The format's own limit on a header. */
const MOST_HEADER = 100_000_000;

/** Bytes of a number. Types of less than a byte are not among them: nothing here reads those. */
const SIZES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
};

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const entrySchema = v.strictObject({
  dtype: v.string(),
  shape: v.pipe(v.array(whole), v.maxLength(8)),
  data_offsets: v.tuple([whole, whole]),
});

/** The tensors of a file. Throws BadWeights, with the offset, where its header is not what the format says. */
export async function readSafetensors(file: ByteSource): Promise<StoredTensor[]> {
  if (file.size < PREFIX)
    refuse(file, 0, `the length of the header takes ${PREFIX} bytes, and there are ${file.size}`);
  const prefix = new DataView((await file.read(0, PREFIX)).buffer);
  const length = prefix.getBigUint64(0, true);
  const room = file.size - PREFIX;
  if (length > BigInt(room))
    refuse(file, 0, `a header of ${length} bytes does not fit into the ${room} that follow`);
  if (length > BigInt(MOST_HEADER))
    refuse(file, 0, `a header of ${length} bytes: the format allows ${MOST_HEADER}`);
  if (length < 2n) refuse(file, 0, `a header of ${length} bytes is none`);
  const begin = PREFIX + Number(length);
  const entries = Object.entries(parsedHeader(file, await file.read(PREFIX, Number(length))));

  const tensors = entries.flatMap(([name, entry]): StoredTensor[] => {
    if (name === "__metadata__") return [];
    const parsed = v.safeParse(entrySchema, entry);
    if (!parsed.success) refuse(file, PREFIX, `${quoted(name)}: ${problemOf(parsed.issues[0], "entry")}`);
    const { dtype, shape, data_offsets } = parsed.output;
    const [from, to] = data_offsets;
    const size = Object.hasOwn(SIZES, dtype) ? SIZES[dtype] : undefined;
    if (size === undefined) refuse(file, PREFIX, `${quoted(name)}: dtype ${quoted(dtype)} is not known`);
    const numbers = elementsOf(shape);
    if (numbers === undefined) refuse(file, PREFIX, `${quoted(name)}: shape ${shape.join("x")} is too large`);
    if (to < from || to > file.size - begin)
      refuse(
        file,
        begin + from,
        `${quoted(name)}: bytes ${from} to ${to} are not among the ${file.size - begin} of data`,
      );
    if (to - from !== numbers * size)
      refuse(
        file,
        begin + from,
        `${quoted(name)}: ${shape.join("x")} of ${dtype} are ${numbers * size} bytes, not ${to - from}`,
      );
    return [{ name, type: dtype, shape, file, offset: begin + from, bytes: to - from }];
  });

  // The format wants every byte to belong to one tensor.
  let end = begin;
  for (const { name, offset, bytes } of [...tensors].sort(
    (a, b) => a.offset - b.offset || a.bytes - b.bytes,
  )) {
    if (offset < end) refuse(file, offset, `${quoted(name)} overlaps with the tensor before it`);
    if (offset > end) refuse(file, end, `${offset - end} bytes before ${quoted(name)} belong to no tensor`);
    end = offset + bytes;
  }
  if (end !== file.size) refuse(file, end, `${file.size - end} bytes at the end belong to no tensor`);
  return tensors;
}

function parsedHeader(file: ByteSource, bytes: Uint8Array): object {
  if (bytes[0] !== "{".charCodeAt(0)) refuse(file, PREFIX, "the header does not begin with {");
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    refuse(file, PREFIX, `the header is not JSON: ${quoted(error instanceof Error ? error.message : "")}`);
  }
  if (typeof header !== "object" || header === null) refuse(file, PREFIX, "the header is no object");
  return header;
}

const indexSchema = v.object({ weight_map: v.record(v.string(), v.string()) });

/** An index of a thousand shards is no longer. */
const MOST_INDEX = 2 ** 26;

/** The tensors of a model in several files, as its index says which file has which. */
export async function readShards(
  index: ByteSource,
  files: ReadonlyMap<string, ByteSource>,
): Promise<StoredTensor[]> {
  const parsed = v.safeParse(indexSchema, await readJsonFile(index, MOST_INDEX));
  if (!parsed.success) throw new BadWeights(`${quoted(index.name)}: ${problemOf(parsed.issues[0], "index")}`);
  const { weight_map } = parsed.output;
  const byFile = new Map<string, Map<string, StoredTensor>>();
  for (const name of new Set(Object.values(weight_map))) {
    const file = files.get(name);
    if (file === undefined)
      throw new BadWeights(`${quoted(index.name)} names ${quoted(name)}, which is not here`);
    byFile.set(name, new Map((await readSafetensors(file)).map((tensor) => [tensor.name, tensor])));
  }
  return Object.entries(weight_map).map(([name, file]) => {
    const tensor = byFile.get(file)?.get(name);
    if (tensor === undefined)
      throw new BadWeights(
        `${quoted(file)} has no tensor ${quoted(name)}, which ${quoted(index.name)} puts there`,
      );
    return tensor;
  });
}
