// The tokenizer of a GGUF file as a tokenizer.json: the kinds of it that the architectures here come with.

import { quoted } from "./byte_source";
import type { Gguf, GgufValue } from "./gguf";
import type { TokenizerFiles } from "./tokenizer";

export interface GgufTokenizer {
  readonly tokenizer:
    | { readonly where: string; readonly files: TokenizerFiles }
    | { readonly missing: string };
  readonly ends: readonly number[];
}

/** What tokenizer.ggml.token_type says of a token. */
const TYPE = { unknown: 2, control: 3, userDefined: 4 };

/** Words with at most so many digits of a number at a time: how Llama 3 and Qwen split a text. */
const words = (digits: string): string =>
  [
    "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
    String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`,
    String.raw`\p{N}${digits}`,
    String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*`,
    String.raw`\s*[\r\n]+`,
    String.raw`\s+(?!\S)`,
    String.raw`\s+`,
  ].join("|");

const byteLevel = (use_regex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: false,
  use_regex,
});
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const inOrder = (...pretokenizers: readonly object[]) => ({ type: "Sequence", pretokenizers });

/** How a text is split, by what GGML calls it. */
const splits: Readonly<
  Record<
    string,
    { readonly pre_tokenizer: object; readonly normalizer?: object; readonly ignoreMerges?: boolean }
  >
> = {
  default: { pre_tokenizer: byteLevel(true) },
  "gpt-2": { pre_tokenizer: byteLevel(true) },
  smollm: { pre_tokenizer: inOrder({ type: "Digits", individual_digits: true }, byteLevel(true)) },
  "llama-bpe": { pre_tokenizer: inOrder(split(words("{1,3}")), byteLevel(false)), ignoreMerges: true },
  qwen2: { pre_tokenizer: inOrder(split(words("")), byteLevel(false)), normalizer: { type: "NFC" } },
};

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: Float64Array | undefined;
  readonly text: (id: GgufValue | undefined) => string | undefined;
}

/** Tokens that stand for themselves wherever a text has them. */
const added = ({ tokens, types }: Vocabulary) =>
  tokens.flatMap((content, id) => {
    const type = types?.[id];
    return type === TYPE.control || type === TYPE.userDefined
      ? [
          {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: type === TYPE.control,
          },
        ]
      : [];
  });

/** What is put in front of every text. */
function beginning({ text }: Vocabulary, bos: GgufValue | undefined, wanted: boolean): object | null {
  const token = text(bos);
  if (!wanted || token === undefined) return null;
  const special = { SpecialToken: { id: token, type_id: 0 } };
  return {
    type: "TemplateProcessing",
    single: [special, { Sequence: { id: "A", type_id: 0 } }],
    pair: [special, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: { [token]: { id: token, ids: [bos], tokens: [token] } },
  };
}

/** SentencePiece's pairs: every way to cut a token into two tokens, best token first. */
function pairsOf({ tokens }: Vocabulary, scores: Float64Array): [string, string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const pairs = tokens.flatMap((token, id) => {
    const found: { pair: [string, string]; score: number; left: number; right: number }[] = [];
    for (let at = 1; at < token.length; at++) {
      const pair: [string, string] = [token.slice(0, at), token.slice(at)];
      const [left, right] = pair.map((half) => ids.get(half));
      if (left !== undefined && right !== undefined)
        found.push({ pair, score: scores[id] ?? 0, left, right });
    }
    return found;
  });
  return pairs
    .sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right)
    .map(({ pair }) => pair);
}

const vocabularyOf = ({ tokens }: Vocabulary) => Object.fromEntries(tokens.map((token, id) => [token, id]));

/** BPE over bytes, as GPT-2 has it. */
function byteBpe(
  vocabulary: Vocabulary,
  metadata: Gguf["metadata"],
  merges: readonly string[],
): object | string {
  const kind = metadata.get("tokenizer.ggml.pre") ?? "default";
  const how = typeof kind === "string" && Object.hasOwn(splits, kind) ? splits[kind] : undefined;
  if (how === undefined)
    return `tokenizer.ggml.pre ${quoted(String(kind))} is not known (${Object.keys(splits).join(", ")} are)`;
  const wanted =
    metadata.get("tokenizer.ggml.add_bos_token") === true ||
    (kind === "llama-bpe" && metadata.get("tokenizer.ggml.add_bos_token") !== false);
  return {
    normalizer: how.normalizer ?? null,
    pre_tokenizer: how.pre_tokenizer,
    post_processor: beginning(vocabulary, metadata.get("tokenizer.ggml.bos_token_id"), wanted),
    decoder: byteLevel(true),
    model: {
      type: "BPE",
      vocab: vocabularyOf(vocabulary),
      merges: merges.map((pair) => {
        const space = pair.indexOf(" ", 1);
        return [pair.slice(0, space), pair.slice(space + 1)];
      }),
      ignore_merges: how.ignoreMerges ?? false,
    },
  };
}

/** SentencePiece's BPE, with bytes for what it has no token for. */
function sentencePiece(vocabulary: Vocabulary, metadata: Gguf["metadata"], scores: Float64Array): object {
  const prefixed = metadata.get("tokenizer.ggml.add_space_prefix") !== false;
  const space = { type: "Replace", pattern: { String: " " }, content: "▁" };
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [...(prefixed ? [{ type: "Prepend", prepend: "▁" }] : []), space],
    },
    pre_tokenizer: null,
    post_processor: beginning(
      vocabulary,
      metadata.get("tokenizer.ggml.bos_token_id"),
      metadata.get("tokenizer.ggml.add_bos_token") !== false,
    ),
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      vocab: vocabularyOf(vocabulary),
      merges: pairsOf(vocabulary, scores),
      unk_token: vocabulary.text(metadata.get("tokenizer.ggml.unknown_token_id")),
      fuse_unk: true,
      byte_fallback: true,
    },
  };
}

/** Letters of a token, at most: each is cut everywhere, which takes long where a file has one of thousands. */
const MOST_LETTERS = 1024;

const isTexts = (value: GgufValue | undefined): value is readonly string[] => Array.isArray(value);

/** A tokenizer of a GGUF file, or why it has none that is known, and the tokens that end a text. */
export function tokenizerOfGguf({ file, metadata }: Gguf): GgufTokenizer {
  const ends = ["eos", "eot"].flatMap((name) => {
    const id = metadata.get(`tokenizer.ggml.${name}_token_id`);
    return typeof id === "number" ? [id] : [];
  });
  const without = (reason: string): GgufTokenizer => ({
    ends,
    tokenizer: { missing: `${quoted(file.name)}: ${reason}` },
  });
  const tokens = metadata.get("tokenizer.ggml.tokens");
  if (!isTexts(tokens)) return without("tokenizer.ggml.tokens is missing");
  if (tokens.some(({ length }) => length > MOST_LETTERS))
    return without(`tokenizer.ggml.tokens has a token of more than ${MOST_LETTERS} letters`);
  const types = metadata.get("tokenizer.ggml.token_type");
  const vocabulary: Vocabulary = {
    tokens,
    types: types instanceof Float64Array ? types : undefined,
    text: (id) => (typeof id === "number" ? tokens[id] : undefined),
  };
  const kind = metadata.get("tokenizer.ggml.model");
  const merges = metadata.get("tokenizer.ggml.merges");
  const scores = metadata.get("tokenizer.ggml.scores");
  let made: object | string =
    `tokenizer.ggml.model ${quoted(String(kind))} is not known (gpt2 and llama are)`;
  if (kind === "gpt2")
    made = isTexts(merges) ? byteBpe(vocabulary, metadata, merges) : "tokenizer.ggml.merges is missing";
  if (kind === "llama")
    made =
      scores instanceof Float64Array
        ? sentencePiece(vocabulary, metadata, scores)
        : "tokenizer.ggml.scores is missing";
  if (typeof made === "string") return without(made);
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added(vocabulary),
    ...made,
  };
  return { ends, tokenizer: { where: quoted(file.name), files: { tokenizer, config: {} } } };
}
