// Writes ONNX models of a node or two: protobuf by hand, fields as numbered in onnx.proto3.

/** TensorProto.DataType */
export const elementTypes = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof elementTypes;

export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
}

/** A value that is part of the model: weights. */
export interface Initializer extends Value {
  readonly data: Float32Array | Uint8Array | Int32Array | BigInt64Array;
}

/** A whole number from 0, a real one, or several whole ones. */
export type Attribute = number | { readonly float: number } | { readonly whole: readonly number[] };

export interface Node {
  readonly operator: string;
  /** "" for ONNX's own operators. */
  readonly domain: "" | "com.microsoft";
  /** Names of values; "" leaves an optional one out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Model {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly Node[];
}

/** Bytes in pieces: weights are copied once, at the very end. */
type Pieces = readonly Uint8Array[];

const IR_VERSION = 8;
const OPSETS = { "": 17, "com.microsoft": 1 } as const;

/** AttributeProto.AttributeType */
const TYPE = { float: 1, int: 2, ints: 7 } as const;

const WIRE = { varint: 0, bytes: 2, four: 5 } as const;

/** Seven bits per byte, least significant first, for whole numbers from 0. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.from([...bytes, rest]);
}

const number = (field: number, value: number): Pieces => [varint(8 * field + WIRE.varint), varint(value)];

function message(field: number, ...content: readonly Pieces[]): Pieces {
  const pieces = content.flat();
  const length = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return [varint(8 * field + WIRE.bytes), varint(length), ...pieces];
}

/** A real number in four bytes. */
const real = (field: number, value: number): Pieces => [
  varint(8 * field + WIRE.four),
  new Uint8Array(Float32Array.of(value).buffer),
];

const text = (field: number, value: string): Pieces => message(field, [new TextEncoder().encode(value)]);

const bytesOf = ({ buffer, byteOffset, byteLength }: Initializer["data"]) =>
  new Uint8Array(buffer, byteOffset, byteLength);

const value = (field: number, { name, type, dims }: Value): Pieces =>
  message(
    field,
    text(1, name),
    message(
      2,
      message(
        1,
        number(1, elementTypes[type]),
        message(2, ...dims.map((size) => message(1, number(1, size)))),
      ),
    ),
  );

const initializer = ({ name, type, dims, data }: Initializer): Pieces =>
  message(
    5,
    ...dims.map((size) => number(1, size)),
    number(2, elementTypes[type]),
    text(8, name),
    message(9, [bytesOf(data)]),
  );

function attribute(amount: Attribute): Pieces {
  if (typeof amount === "number") return [...number(3, amount), ...number(20, TYPE.int)];
  return "float" in amount
    ? [...real(2, amount.float), ...number(20, TYPE.float)]
    : [...amount.whole.flatMap((each) => number(8, each)), ...number(20, TYPE.ints)];
}

const node = ({ operator, domain, inputs, outputs, attributes }: Node): Pieces =>
  message(
    1,
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
    ...Object.entries(attributes).map(([name, amount]) => message(5, text(1, name), attribute(amount))),
    text(7, domain),
  );

/** The model's file. */
export function encodeModel({ inputs, outputs, initializers, nodes }: Model): Uint8Array<ArrayBuffer> {
  const pieces = [
    number(1, IR_VERSION),
    message(
      7,
      ...nodes.map(node),
      text(2, "work"),
      ...initializers.map(initializer),
      ...inputs.map((each) => value(11, each)),
      ...outputs.map((each) => value(12, each)),
    ),
    ...Object.entries(OPSETS).map(([domain, version]) => message(8, text(1, domain), number(2, version))),
  ].flat();
  const file = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.byteLength;
  }
  return file;
}
