// Version 1 of links: the dictionary.

/**
 * Text that most results have, each piece written as one control character: JSON text has none of its own.
 * Part of version 1: never change an entry, only add.
 */
const PHRASES = [
  "Mozilla/5.0 (",
  "AppleWebKit/537.36 (KHTML, like Gecko) ",
  " Safari/537.36",
  "Windows NT 10.0; Win64; x64) ",
  "Macintosh; Intel Mac OS X 10_15_7) ",
  "X11; Linux x86_64) ",
  '"timestamp-query"',
  '"shader-f16"',
  '"subgroups"',
  '"this device has no shader-f16"',
  '["matmul","M","N","K"],["attention","batch","queries","keys","heads","kvHeads","headDim","window"],["matvec","M","N","K"]',
  '["fma","invocations","chains","steps"],["read","groups","words"],["copy","words"]',
  '[["qkv_proj",',
  '],["attention",',
  '],["o_proj",',
  '],["gate_up_proj",',
  '],["down_proj",',
  '],["lm_head",',
  '"prefill"',
  '"decode"',
  '"llama-',
  "the adapter calls itself",
  " threads",
  " direct",
  " staged ",
  " rows",
  " lanes",
  ") Gecko/20100101 Firefox/",
  "the browser marks the adapter as a software fallback",
  '],[0],[1],["f32","f16"],[],1073741824,0]',
] as const;

/** JSON text with the phrases as control characters. */
export const condense = (text: string): string =>
  PHRASES.reduce((shorter, phrase, i) => shorter.replaceAll(phrase, String.fromCharCode(i + 1)), text);

/** The reverse of `condense`; undefined where the text would be longer than `limit`. */
export function expand(text: string, limit: number): string | undefined {
  let length = text.length;
  for (let i = 0; i < text.length; i++) length += PHRASES[text.charCodeAt(i) - 1]?.length ?? 0;
  if (length > limit) return undefined;
  return PHRASES.reduceRight(
    (longer, phrase, i) => longer.replaceAll(String.fromCharCode(i + 1), phrase),
    text,
  );
}
