// Models as people write them ("Llama-2-13b", "gpt-oss 20b", "DeepSeek-R1-Distill-8B"), and models that nobody here knows.

import { type Architecture, architecture, parameterCounts } from "./architecture";

const names: readonly (readonly [RegExp, string])[] = [
  [/distill.*llama.*70b|distill.*\b70b/, "llama-3.1-70b"],
  [/distill.*qwen.*32b|distill.*\b32b/, "qwen2.5-32b"],
  [/distill.*qwen.*14b|distill.*\b14b/, "qwen2.5-14b"],
  [/distill.*qwen.*1 5b|distill.*\b1 5b/, "qwen2.5-1.5b"],
  [/distill.*qwen.*7b|distill.*\b7b/, "qwen2.5-7b"],
  [/distill.*\b8b/, "llama-3.1-8b"],
  [/deepseek (r1|v3)/, "deepseek-r1"],
  [/gpt ?oss.*120b/, "gpt-oss-120b"],
  [/gpt ?oss.*20b/, "gpt-oss-20b"],
  [/llama 4.*scout/, "llama-4-scout"],
  [/tiny ?llama/, "tinyllama-1.1b"],
  [/code ?llama.*34b/, "codellama-34b"],
  [/llama ?3.*\b1b/, "llama-3.2-1b"],
  [/llama ?3.*\b3b/, "llama-3.2-3b"],
  [/llama ?3.*\b8b/, "llama-3.1-8b"],
  [/llama ?3.*\b70b/, "llama-3.1-70b"],
  [/llama.*\b405b/, "llama-3.1-405b"],
  [/llama.*\b7b|vicuna.*\b7b/, "llama-2-7b"],
  [/llama.*\b13b|vicuna.*\b13b/, "llama-2-13b"],
  [/llama.*\b70b/, "llama-2-70b"],
  [/mixtral.*8x22b/, "mixtral-8x22b"],
  [/mixtral/, "mixtral-8x7b"],
  [/mistral.*small|mistral.*24b/, "mistral-small-24b"],
  [/mistral.*7b/, "mistral-7b"],
  [/qwen ?3.*480b/, "qwen3-coder-480b-a35b"],
  [/qwen ?3.*235b/, "qwen3-235b-a22b"],
  [/qwen ?3.*30b/, "qwen3-30b-a3b"],
  [/qwen ?3 (.* )?32b/, "qwen3-32b"],
  [/qwen ?3 (.* )?14b/, "qwen3-14b"],
  [/qwen ?3 (.* )?8b/, "qwen3-8b"],
  [/qwen ?3 (.* )?4b/, "qwen3-4b"],
  [/qwen ?3 (.* )?1 7b/, "qwen3-1.7b"],
  [/qwen ?3 (.* )?0 6b/, "qwen3-0.6b"],
  [/qwen ?2.*\b0 5b/, "qwen2.5-0.5b"],
  [/qwen ?2.*\b1 5b/, "qwen2.5-1.5b"],
  [/qwen ?2.*\b72b/, "qwen2.5-72b"],
  [/qwen ?2.*\b32b/, "qwen2.5-32b"],
  [/qwen ?2.*\b14b/, "qwen2.5-14b"],
  [/qwen ?2.*\b7b/, "qwen2.5-7b"],
  [/qwen ?2.*\b3b/, "qwen2.5-3b"],
  [/gemma ?3.*\b27b/, "gemma-3-27b"],
  [/gemma ?3.*\b12b/, "gemma-3-12b"],
  [/gemma ?3.*\b4b/, "gemma-3-4b"],
  [/gemma ?3.*\b1b/, "gemma-3-1b"],
  [/gemma ?2.*\b9b/, "gemma-2-9b"],
  [/smollm.*135m/, "smollm2-135m"],
  [/phi ?3.*mini/, "phi-3-mini"],
  [/phi ?4\b/, "phi-4"],
  [/yi 34b/, "yi-34b"],
];

/** How far a model of the same name may be from the stated parameter count before it is taken for another one. */
const SAME_SIZE = 0.25;

const VOCABULARY = 128_000;
const widthOf = (weights: number) => 128 * Math.max(1, Math.round(Math.cbrt((weights * 120) / 13) / 128));

/** The shape that dense decoders of a size have: layers of 13 · hidden² weights, one per 120 of width; grouped queries. */
function derived(name: string, total: number, active: number): Architecture {
  const tied = active < 2e9;
  const embedding = VOCABULARY * widthOf(active) * (tied ? 1 : 2);
  const inLayers = Math.max(0.3 * active, active - embedding);
  const hidden = widthOf(inLayers);
  const layers = Math.max(1, Math.round(inLayers / (13 * hidden ** 2)));
  const heads = Math.max(1, Math.round(hidden / 128));
  const intermediate = 32 * Math.max(1, Math.round((3.5 * hidden) / 32));
  const dense = {
    _name_or_path: name,
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: Math.max(1, Math.round(heads / 4)),
    head_dim: 128,
    vocab_size: VOCABULARY,
    tie_word_embeddings: tied,
    max_position_embeddings: 131_072,
  };
  if (total < 1.1 * active) return dense;
  // Eight experts per token of an eighth of the dense width each; as many experts as the size asks for.
  const expert = Math.max(1, Math.round(intermediate / 8));
  const perExpert = 3 * hidden * expert * layers;
  return {
    ...dense,
    num_experts: Math.max(8, Math.round(8 + (total - active) / perExpert)),
    num_experts_per_tok: 8,
    moe_intermediate_size: expert,
  };
}

/**
 * The architecture of a model as a table names it. `paramsB` and `activeParamsB` are billions of weights. A model that
 * no name fits, or whose size is another one, gets the shape that models of its size have; `assumed` says so.
 */
export function architectureNamed(
  name: string,
  paramsB?: number | null,
  activeParamsB?: number | null,
): { model: Architecture; assumed?: string } | undefined {
  const exact = architecture(name);
  if (exact !== undefined) return { model: exact };
  const text = name.toLowerCase().replace(/[^a-z0-9]+/g, " ");
  const found = names.find(([pattern]) => pattern.test(text));
  const model = found && architecture(found[1]);
  const total = (paramsB ?? 0) * 1e9;
  if (model !== undefined) {
    const ratio = total > 0 ? total / parameterCounts(model).total : 1;
    if (Math.abs(Math.log(ratio)) < Math.log(1 + SAME_SIZE)) return { model };
  }
  if (total <= 0) return undefined;
  const active = activeParamsB === undefined || activeParamsB === null ? total : activeParamsB * 1e9;
  return {
    model: derived(name, total, active),
    assumed: `${name}: not a model that is known here; layers and widths as models of its size have them`,
  };
}
