// The header of a GGUF file: typed metadata, and where each tensor lies.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { type ByteSource, quoted, refuse } from "./byte_source";
import { type GgufReader, ggufReader } from "./gguf_reader";
import { elementsOf, isStoredType, type StoredTensor, storedBytes, storedTypes } from "./stored_tensor";

export type GgufValue = number | boolean | string | readonly string[] | Float64Array;

export interface Gguf {
  readonly file: ByteSource;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly StoredTensor[];
}

/** GGML's types by number; those that are missing have been withdrawn. */
const TYPES: Readonly<Record<number, string>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  6: "Q5_0",
  7: "Q5_1",
  8: "Q8_0",
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  30: "BF16",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** Numbers of metadata by the number of their type: bytes, and how they are read. */
const NUMBERS: Readonly<Record<number, readonly [number, (view: DataView, at: number) => number]>> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getFloat32(at, true)],
  10: [8, (view, at) => Number(view.getBigUint64(at, true))],
  11: [8, (view, at) => Number(view.getBigInt64(at, true))],
  12: [8, (view, at) => view.getFloat64(at, true)],
};
const BOOLEAN = 7;
const STRING = 8;
const ARRAY = 9;

/** "GGUF" as a little-endian number. */
const MAGIC = 0x46554747;
const VERSIONS = [2, 3];
const ALIGNMENT = 32;
const MOST_DIMENSIONS = 4;
const MOST_KEY = 2 ** 16;

/** More than any model has; a corrupted count in a large file would ask for more memory than there is. */
const MOST = { elements: 2 ** 24, pairs: 2 ** 16, tensors: 2 ** 20 };

/** Fewer bytes than these no pair of key and value has, and no tensor. */
const LEAST = { pair: 8 + 1 + 4 + 1, tensor: 8 + 1 + 4 + 8 + 4 + 8 };

async function readArray(reader: GgufReader, key: string): Promise<readonly string[] | Float64Array> {
  const at = reader.offset;
  const type = await reader.u32(`the type of ${key}'s elements`);
  const count = await reader.u64(`the length of ${key}`);
  if (type === STRING) {
    // Each string has its length in front of it.
    if (count > reader.remaining / 8)
      refuse(reader.file, at, `${key} has ${count} strings, and ${reader.remaining} bytes are left`);
    if (count > MOST.elements)
      refuse(reader.file, at, `${key} has ${count} strings, and ${MOST.elements} are the most`);
    const texts: string[] = [];
    for (let i = 0; i < count; i++) texts.push(await reader.text(`${key}[${i}]`));
    return texts;
  }
  const [size, read] = NUMBERS[type === BOOLEAN ? 0 : type] ?? [];
  if (size === undefined || read === undefined)
    refuse(reader.file, at, `${key} is an array of type ${type}, which is not read`);
  if (count > reader.remaining / size)
    refuse(
      reader.file,
      at,
      `${key} has ${count} numbers of ${size} bytes, and ${reader.remaining} bytes are left`,
    );
  // Eight bytes for one: more than a model has reason to list would be more memory than the file takes.
  if (8 * count > reader.file.size)
    refuse(reader.file, at, `${key} has ${count} numbers: too many for this file`);
  if (count > MOST.elements)
    refuse(reader.file, at, `${key} has ${count} numbers, and ${MOST.elements} are the most`);
  const view = await reader.bytes(count * size, key);
  return Float64Array.from({ length: count }, (_, i) => read(view, i * size));
}

async function readValue(reader: GgufReader, key: string): Promise<GgufValue> {
  const at = reader.offset;
  const type = await reader.u32(`the type of ${key}`);
  if (type === STRING) return reader.text(key);
  if (type === ARRAY) return readArray(reader, key);
  if (type === BOOLEAN) return (await reader.bytes(1, key)).getUint8(0) !== 0;
  const [size, read] = NUMBERS[type] ?? [];
  if (size === undefined || read === undefined)
    refuse(reader.file, at, `${key} is of type ${type}, which there is not`);
  return read(await reader.bytes(size, key), 0);
}

async function readName(reader: GgufReader, what: string): Promise<string> {
  const at = reader.offset;
  const name = await reader.text(what);
  if (name.length === 0 || name.length > MOST_KEY)
    refuse(reader.file, at, `${what} has ${name.length} letters`);
  return name;
}

/** What the header says of a tensor, before it is known where the data begin. */
type Info = Omit<StoredTensor, "file"> & { readonly statedAt: number };

async function readInfo(reader: GgufReader, number: number): Promise<Info> {
  const { file } = reader;
  const statedAt = reader.offset;
  const name = await readName(reader, `the name of tensor ${number}`);
  const count = await reader.u32(`the dimensions of ${quoted(name)}`);
  if (count < 1 || count > MOST_DIMENSIONS) refuse(file, statedAt, `${quoted(name)} has ${count} dimensions`);
  const shape: number[] = [];
  // GGML counts from the fastest dimension on.
  for (let i = 0; i < count; i++) shape.unshift(await reader.u64(`a dimension of ${quoted(name)}`));
  const typeNumber = await reader.u32(`the type of ${quoted(name)}`);
  const offset = await reader.u64(`the offset of ${quoted(name)}`);
  const type = TYPES[typeNumber] ?? `type ${typeNumber}`;
  if (!isStoredType(type)) {
    const known = Object.keys(storedTypes).join(", ");
    refuse(file, statedAt, `${quoted(name)} is stored as ${type}, which is not read here: ${known} are`);
  }
  const numbers = elementsOf(shape);
  // Blocks do not go from row to row.
  const row = storedBytes(type, shape.at(-1) ?? 0);
  const bytes = numbers === undefined || row === undefined ? undefined : storedBytes(type, numbers);
  if (numbers === undefined || numbers === 0 || bytes === undefined)
    refuse(file, statedAt, `${quoted(name)}: ${shape.join("x")} of ${type} cannot be`);
  return { name, type, shape, offset, bytes, statedAt };
}

function alignmentOf(file: ByteSource, metadata: ReadonlyMap<string, GgufValue>): number {
  const given = metadata.get("general.alignment") ?? ALIGNMENT;
  const fits =
    typeof given === "number" && given >= 8 && given <= 2 ** 20 && Number.isInteger(Math.log2(given));
  if (!fits) refuse(file, 0, `general.alignment is ${quoted(String(given))}: a power of two from 8 to 2^20`);
  return given;
}

/** What a GGUF file holds. Throws BadWeights, with the offset, where its header is not what the format says. */
export async function readGguf(file: ByteSource): Promise<Gguf> {
  const reader = ggufReader(file);
  if ((await reader.u32("the magic number")) !== MAGIC) refuse(file, 0, "it does not begin with GGUF");
  const version = await reader.u32("the version");
  if (!VERSIONS.includes(version)) {
    const swapped = VERSIONS.includes(version / 2 ** 24);
    refuse(
      file,
      4,
      swapped ? "a big-endian file, which is not read here" : `version ${version}: 2 and 3 are read here`,
    );
  }
  const tensorCount = await reader.u64("the number of tensors");
  const pairCount = await reader.u64("the number of metadata");
  for (const [at, what, count, least, most] of [
    [8, "tensors", tensorCount, LEAST.tensor, MOST.tensors],
    [16, "metadata", pairCount, LEAST.pair, MOST.pairs],
  ] as const) {
    if (count > reader.remaining / least)
      refuse(file, at, `${count} ${what} do not fit into ${reader.remaining} bytes`);
    if (count > most) refuse(file, at, `${count} ${what}, and ${most} are the most`);
  }

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairCount; i++) {
    const at = reader.offset;
    const key = await readName(reader, `key ${i}`);
    if (metadata.has(key)) refuse(file, at, `${quoted(key)} is there twice`);
    metadata.set(key, await readValue(reader, quoted(key)));
  }
  const infos: Info[] = [];
  for (let i = 0; i < tensorCount; i++) infos.push(await readInfo(reader, i));

  const alignment = alignmentOf(file, metadata);
  const begin = Math.ceil(reader.offset / alignment) * alignment;
  const names = new Set<string>();
  let end = begin;
  let before = "the header";
  for (const { name, offset, bytes, statedAt } of [...infos].sort((a, b) => a.offset - b.offset)) {
    if (names.has(name)) refuse(file, statedAt, `${quoted(name)} is there twice`);
    names.add(name);
    if (offset % alignment !== 0)
      refuse(file, statedAt, `${quoted(name)}: offset ${offset} is no multiple of ${alignment}`);
    const first = begin + offset;
    if (first + bytes > file.size)
      refuse(
        file,
        statedAt,
        `${quoted(name)}: bytes ${first} to ${first + bytes} are not in a file of ${file.size}`,
      );
    if (first < end) refuse(file, statedAt, `${quoted(name)} overlaps with ${before}`);
    end = first + bytes;
    before = quoted(name);
  }
  const tensors = infos.map(({ statedAt: _, ...info }) => ({ ...info, file, offset: begin + info.offset }));
  return { file, metadata, tensors };
}
