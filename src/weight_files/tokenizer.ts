// Text to tokens and back: Hugging Face's own library, which is loaded when there are weights to use it with.

import * as v from "valibot";
import { BadWeights, quoted } from "./byte_source";

/** What the library takes: the contents of tokenizer.json and tokenizer_config.json. */
export interface TokenizerFiles {
  readonly tokenizer: object;
  readonly config: object;
}

export interface Tokenizer {
  /** With what the model wants in front of a text. */
  encode(text: string): number[];
  /** Without special tokens. */
  decode(tokens: readonly number[]): string;
}

const objectSchema = v.looseObject({});

/** A parsed JSON file that has to be an object. Throws BadWeights. */
export function jsonObject(where: string, given: unknown): object {
  const parsed = v.safeParse(objectSchema, given);
  if (!parsed.success || Array.isArray(given)) throw new BadWeights(`${where}: no JSON object`);
  return parsed.output;
}

/** Throws BadWeights where the files make no tokenizer. */
export async function openTokenizer(
  where: string,
  { tokenizer, config }: TokenizerFiles,
): Promise<Tokenizer> {
  const library = await import("@huggingface/tokenizers");
  const trying = <T>(what: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      // The library's message has what stands in the file.
      throw new BadWeights(
        `${where}: ${what}: ${quoted(error instanceof Error ? error.message : String(error))}`,
      );
    }
  };
  const opened = trying("makes no tokenizer", () => new library.Tokenizer(tokenizer, config));
  return {
    encode: (text) => trying("cannot read the prompt", () => [...opened.encode(text).ids]),
    decode: (tokens) =>
      tokens.length === 0
        ? ""
        : trying("cannot write tokens", () => opened.decode([...tokens], { skip_special_tokens: true })),
  };
}
