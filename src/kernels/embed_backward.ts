import wgsl from "../../shaders/embed_backward.wgsl?raw";
import { byRows } from "./by_rows_and_fours";
import { floats, onlyF32, tokenIds, written } from "./f32_only";
import { type Kernel, type Operand, sumTolerance, trafficOfAll } from "./kernel";

export type EmbedBackwardShape = {
  readonly tokens: number;
  readonly vocab: number;
  readonly hidden: number;
};

const operandsOf =
  (ADD: 0 | 1) =>
  ({ tokens, vocab, hidden }: EmbedBackwardShape): Operand[] => [
    tokenIds("ids", tokens, vocab),
    floats("given", tokens, hidden),
    ...(ADD === 1 ? [floats("other", vocab, hidden)] : []),
    written("table", vocab, hidden),
  ];

const backward = (ADD: 0 | 1): Kernel<EmbedBackwardShape> => {
  const operands = operandsOf(ADD);
  return {
    fields: ["tokens", "vocab", "hidden"],
    variants: {
      rowwise: byRows(
        {
          shader: "embed_backward",
          wgsl,
          binds: ["ids", "given", "table", ...(ADD === 1 ? ["other"] : [])],
          constants: { ADD },
        },
        ({ vocab, hidden }: EmbedBackwardShape) => ({ rows: vocab, columns: hidden }),
        { bytes: 1 },
      ),
    },
    unsupported: onlyF32,
    shapeClass: () => "all",
    operands,
    work: (shape) => ({
      flops: shape.tokens * shape.hidden + ADD * shape.vocab * shape.hidden,
      bytes: trafficOfAll(operands(shape)),
    }),
    products: ({ tokens }) => tokens,
    reference: ({ tokens }, [ids, given, other], row, columns) =>
      columns.map((column) => {
        const past = other?.(row, column) ?? 0;
        let [value, magnitude] = [past, Math.abs(past)];
        for (let token = 0; token < tokens; token++) {
          if (ids!(0, token) !== row) continue;
          value += given!(token, column);
          magnitude += Math.abs(given!(token, column));
        }
        return { value, magnitude };
      }),
    tolerance: ({ tokens }) => sumTolerance(tokens),
  };
};

/** table[v] = the sum of what came back for the tokens v: the gradient of an embedding table, all of it. */
export const embed_backward = backward(0);

/** The same plus another gradient of the same matrix: where the LM head is the embedding table. */
export const add_embed_backward = backward(1);
