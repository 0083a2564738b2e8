// Trains the tiny Llama of the fixtures until it knows its sentences by heart, and writes it as Hugging Face would: a
// safetensors file of BF16, config.json, tokenizer.json. `node tests/tiny_llama/main.mjs`, a minute or two.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { randomBits } from "../../src/kernels/random";
import { bf16, safetensorsFile } from "../weight_writers";
import { sentences } from "./sentences";
import { Tape, type Value, value } from "./tape";

const config = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_act: "silu",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
  vocab_size: 0,
  bos_token_id: 0,
  eos_token_id: 1,
};
const headDim = config.hidden_size / config.num_attention_heads;

const BEGIN = "<|begin|>";
const END = "<|end|>";
const MERGES = 36;

/** GPT-2's letters for bytes: what has no glyph of its own is moved behind the others. */
function byteLetters(): string[] {
  let moved = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const shown = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(shown ? byte : moved++);
  });
}

/** Byte pairs, most frequent first, over words with the space in front of them. */
function learnMerges(letters: readonly string[]): [string, string][] {
  const space = letters[32]!;
  let words = sentences
    .flatMap((text) => text.match(/ ?[A-Za-z]+|[.,]/g) ?? [])
    .map((word) => [...word.replace(" ", space)]);
  const merges: [string, string][] = [];
  while (merges.length < MERGES) {
    const counts = new Map<string, number>();
    for (const word of words)
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = `${word[i]} ${word[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    const [best = ""] = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0] ?? [];
    const [left = "", right = ""] = best.split(" ");
    merges.push([left, right]);
    words = words.map((word) => {
      const out: string[] = [];
      for (let i = 0; i < word.length; i++) {
        const both = word[i] === left && word[i + 1] === right;
        out.push(both ? left + right : word[i]!);
        if (both) i++;
      }
      return out;
    });
  }
  return merges;
}

function makeTokenizer() {
  const letters = byteLetters();
  const merges = learnMerges(letters);
  const tokens = [BEGIN, END, ...letters, ...merges.map((pair) => pair.join(""))];
  const special = (content: string, id: number) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [special(BEGIN, 0), special(END, 1)],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: BEGIN, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        { SpecialToken: { id: BEGIN, type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: { [BEGIN]: { id: BEGIN, ids: [0], tokens: [BEGIN] } },
    },
    decoder: byteLevel,
    model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
  };
}

/** About normal, from seeded bits. */
let drawn = 0;
const random = () => {
  let sum = 0;
  for (let i = 0; i < 4; i++) sum += (randomBits(17, drawn++) >>> 0) / 2 ** 32 - 0.5;
  return sum * Math.sqrt(3);
};

function makeWeights(vocabulary: number): Map<string, Value> {
  const { hidden_size: hidden, intermediate_size: inner } = config;
  const kv = config.num_key_value_heads * headDim;
  const weights = new Map<string, Value>();
  const matrix = (name: string, rows: number, columns: number, size = 1 / Math.sqrt(columns)) => {
    weights.set(
      name,
      value(
        rows,
        columns,
        Float64Array.from({ length: rows * columns }, () => size * random()),
      ),
    );
  };
  const norm = (name: string) => weights.set(name, value(1, hidden, new Float64Array(hidden).fill(1)));
  matrix("model.embed_tokens.weight", vocabulary, hidden, 0.3);
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}.`;
    norm(`${at}input_layernorm.weight`);
    matrix(`${at}self_attn.q_proj.weight`, hidden, hidden);
    matrix(`${at}self_attn.k_proj.weight`, kv, hidden);
    matrix(`${at}self_attn.v_proj.weight`, kv, hidden);
    matrix(`${at}self_attn.o_proj.weight`, hidden, hidden);
    norm(`${at}post_attention_layernorm.weight`);
    matrix(`${at}mlp.gate_proj.weight`, inner, hidden);
    matrix(`${at}mlp.up_proj.weight`, inner, hidden);
    matrix(`${at}mlp.down_proj.weight`, hidden, inner);
  }
  norm("model.norm.weight");
  return weights;
}

/** The surprise at one text, its gradients added to the weights'. */
function learn(weights: ReadonlyMap<string, Value>, tokens: readonly number[]): number {
  const tape = new Tape();
  const of = (name: string): Value => {
    const found = weights.get(name);
    if (found === undefined) throw new Error(`no weights ${name}`);
    return found;
  };
  const { rms_norm_eps: epsilon, rope_theta: theta } = config;
  const embeddings = of("model.embed_tokens.weight");
  let state = tape.embed(embeddings, tokens.slice(0, -1));
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = (name: string) => of(`model.layers.${layer}.${name}.weight`);
    const normed = tape.norm(state, at("input_layernorm"), epsilon);
    const [q, k, v] = ["q", "k", "v"].map((each) => tape.linear(normed, at(`self_attn.${each}_proj`))) as [
      Value,
      Value,
      Value,
    ];
    const attended = tape.attention(tape.rope(q, headDim, theta), tape.rope(k, headDim, theta), v, headDim);
    state = tape.add(state, tape.linear(attended, at("self_attn.o_proj")));
    const fed = tape.norm(state, at("post_attention_layernorm"), epsilon);
    const activated = tape.gated(tape.linear(fed, at("mlp.gate_proj")), tape.linear(fed, at("mlp.up_proj")));
    state = tape.add(state, tape.linear(activated, at("mlp.down_proj")));
  }
  const logits = tape.linear(tape.norm(state, of("model.norm.weight"), epsilon), embeddings);
  const loss = tape.surprise(logits, tokens.slice(1));
  tape.backward();
  return loss;
}

/** Adam. */
function adam(weights: readonly Value[], rate: number) {
  const moments = weights.map(({ data }) => ({
    first: new Float64Array(data.length),
    second: new Float64Array(data.length),
  }));
  let step = 0;
  return () => {
    step++;
    weights.forEach(({ data, grad }, which) => {
      const { first, second } = moments[which]!;
      for (let i = 0; i < data.length; i++) {
        first[i] = 0.9 * first[i]! + 0.1 * grad[i]!;
        second[i] = 0.98 * second[i]! + 0.02 * grad[i]! ** 2;
        const mean = first[i]! / (1 - 0.9 ** step);
        data[i]! -= (rate * mean) / (Math.sqrt(second[i]! / (1 - 0.98 ** step)) + 1e-8);
        grad[i] = 0;
      }
    });
  };
}

/** Surprise at which no rounding of the weights changes what is written. */
const ENOUGH = 0.0005;
const MOST_STEPS = 600;

/** Trains, and writes the files into a folder. */
export function train(folder: string): void {
  const tokenizer = makeTokenizer();
  const vocab_size = Object.keys(tokenizer.model.vocab).length;
  const library = new Tokenizer(tokenizer, {});
  const texts = sentences.map((text) => [...library.encode(text).ids, config.eos_token_id]);
  console.log(`${vocab_size} tokens; sentences of ${texts.map(({ length }) => length).join(", ")}`);
  const weights = makeWeights(vocab_size);
  const update = adam([...weights.values()], 3e-3);
  for (let step = 0; step < MOST_STEPS; step++) {
    const losses = texts.map((tokens) => learn(weights, tokens));
    update();
    if (step % 20 === 0) console.log(`step ${step}: ${losses.map((loss) => loss.toFixed(4)).join(" ")}`);
    if (Math.max(...losses) < ENOUGH) break;
  }
  mkdirSync(folder, { recursive: true });
  const tensors = [...weights].map(([name, { rows, columns, data }]) => ({
    name,
    dtype: "BF16",
    shape: rows === 1 ? [columns] : [rows, columns],
    bytes: bf16(data),
  }));
  writeFileSync(join(folder, "model.safetensors"), safetensorsFile(tensors));
  writeFileSync(join(folder, "config.json"), `${JSON.stringify({ ...config, vocab_size }, null, 1)}\n`);
  writeFileSync(join(folder, "tokenizer.json"), `${JSON.stringify(tokenizer)}\n`);
}
