// The trained model of the fixtures as plain numbers, and as a GGUF file with its tokenizer inside.

import type { ModelConfig } from "../../src/workloads";
import { ggufOf, type PlainTensor } from "../weight_models";
import type { WrittenValue } from "../weight_writers";

/** The fixture's files, by name. */
export interface FixtureFiles {
  readonly "model.safetensors": Uint8Array;
  readonly "config.json": Uint8Array;
  readonly "tokenizer.json": Uint8Array;
}

/** What its config comes down to. */
export const fixtureModel = (config: {
  vocab_size: number;
  max_position_embeddings: number;
}): ModelConfig => ({
  _name_or_path: "model.safetensors",
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: config.vocab_size,
  tie_word_embeddings: true,
  max_position_embeddings: config.max_position_embeddings,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
});

const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

/** The tensors of a safetensors file of BF16. */
export function fixtureTensors(bytes: Uint8Array): PlainTensor[] {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__: _, ...header } = json(bytes.subarray(8, 8 + length));
  return Object.entries(header as Record<string, { shape: number[]; data_offsets: [number, number] }>).map(
    ([
      name,
      {
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      const halves = new Uint16Array(bytes.slice(8 + length + from, 8 + length + to).buffer);
      const numbers = new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
      return { name, shape, numbers: Float64Array.from(numbers) };
    },
  );
}

/** The same model and tokenizer in one GGUF file, its matrices stored as `type`. */
export function ggufOfFixture(
  files: FixtureFiles,
  type: string,
  more: Readonly<Record<string, WrittenValue>> = {},
): Uint8Array<ArrayBuffer> {
  const { model, added_tokens } = json(files["tokenizer.json"]);
  const tokens: string[] = [];
  // An object lists what looks like a number first.
  for (const [token, id] of Object.entries(model.vocab as Record<string, number>)) tokens[id] = token;
  const special = new Set((added_tokens as { id: number }[]).map(({ id }) => id));
  return ggufOf(fixtureModel(json(files["config.json"])), fixtureTensors(files["model.safetensors"]), type, {
    "tokenizer.ggml.model": { text: "gpt2" },
    "tokenizer.ggml.pre": { text: "gpt-2" },
    "tokenizer.ggml.tokens": { texts: tokens },
    "tokenizer.ggml.token_type": { i32s: tokens.map((_, id) => (special.has(id) ? 3 : 1)) },
    "tokenizer.ggml.merges": { texts: (model.merges as [string, string][]).map((pair) => pair.join(" ")) },
    "tokenizer.ggml.bos_token_id": { u32: 0 },
    "tokenizer.ggml.eos_token_id": { u32: 1 },
    "tokenizer.ggml.add_bos_token": { bool: true },
    ...more,
  });
}
