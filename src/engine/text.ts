// From files and a prompt to a text: the whole of it, on any host.

import type { DType } from "../kernels/elements";
import { memoryBudget, type Plan } from "../plan";
import type { Result } from "../result";
import {
  MOST_PROMPT,
  type TextOrder,
  type TextOutcome,
  type TextProgress,
  type TextResult,
  USUAL_TOKENS,
  type WrittenText,
} from "../text_result";
import { BadWeights } from "../weight_files/byte_source";
import {
  type Checkpoint,
  closestType,
  openCheckpoint,
  type WeightFiles,
  whyNoRoom,
  whyNotStored,
} from "../weight_files/checkpoint";
import { openTokenizer, type Tokenizer } from "../weight_files/tokenizer";
import { type Gpu, openDevice, unsupported } from "./device";
import { uploadWeights } from "./forward_upload";
import type { Host } from "./host";
import { run } from "./run";
import { writeTokens } from "./write_text";

/** The tokens of a prompt; without a tokenizer it is their numbers. */
function promptTokens(
  prompt: string,
  tokenizer: Tokenizer | undefined,
  { model, tokenizer: made }: Checkpoint,
): number[] {
  if (prompt.length > MOST_PROMPT) throw new BadWeights(`a prompt has ${MOST_PROMPT} letters at most`);
  if (tokenizer === undefined) {
    const why = "missing" in made ? made.missing : "";
    if (!/^\s*\d{1,8}(\s+\d{1,8})*\s*$/.test(prompt))
      throw new BadWeights(
        `${why}: put the model's tokenizer.json beside the weights, or give the prompt as the numbers of its tokens ("1 15043")`,
      );
  }
  const tokens = tokenizer?.encode(prompt) ?? prompt.trim().split(/\s+/).map(Number);
  if (tokens.length === 0) throw new BadWeights("the prompt has no tokens");
  const wrong = tokens.find((token) => token >= model.vocab_size);
  if (wrong !== undefined)
    throw new BadWeights(
      `the prompt has token ${wrong}, and the model knows ${model.vocab_size}: another model's tokenizer?`,
    );
  return tokens;
}

/** How many tokens to write. Throws where the model's context is shorter than what is asked for. */
function mostTokens(
  { max_position_embeddings: context }: Checkpoint["model"],
  prompt: number,
  most: number | null,
): number {
  if (most !== null && !(Number.isSafeInteger(most) && most >= 1))
    throw new BadWeights(`tokens to write are a whole number from 1, not ${most}`);
  const asked = prompt + (most ?? 1);
  if (asked > context)
    throw new BadWeights(
      `${prompt} tokens of prompt and ${most ?? 1} to write are ${asked}, and the model's context (max_position_embeddings) is ${context}`,
    );
  return most ?? Math.min(USUAL_TOKENS, context - prompt);
}

/** Why a model cannot be run in a type here. Throws it. */
function assertPossible(gpu: Gpu, { model }: Checkpoint, dtype: DType, memory: number): void {
  const problem = whyNotStored(model, dtype) ?? unsupported(gpu, dtype) ?? whyNoRoom(model, dtype, memory);
  if (problem !== undefined) throw new BadWeights(problem);
}

/** What is written so far; a letter of several tokens that is not complete is left out. */
const soFar = (tokenizer: Tokenizer | undefined, tokens: readonly number[]): string =>
  tokenizer?.decode(tokens).replace(/\ufffd+$/, "") ?? tokens.join(" ");

async function writeOne(
  gpu: Gpu,
  checkpoint: Checkpoint,
  tokenizer: Tokenizer | undefined,
  { dtype, prompt, most }: { dtype: DType; prompt: number[]; most: number },
  tell: (progress: TextProgress) => void,
): Promise<WrittenText> {
  const { clock } = gpu;
  const began = clock.now();
  let loaded = began;
  tell({ stage: "compiling", dtype, done: 0, total: 1, text: "" });
  const fill = uploadWeights(checkpoint, dtype, (done, total) =>
    tell({ stage: "loading the weights", dtype, done, total, text: "" }),
  );
  const { tokens, ended, secondsToFirstToken, steps, memory } = await writeTokens(
    gpu,
    { model: checkpoint.model, dtype, prompt, most, ends: checkpoint.ends, fill },
    {
      onLoaded() {
        loaded = clock.now();
        tell({ stage: "writing", dtype, done: 0, total: most, text: "" });
      },
      onToken: (written) =>
        tell({ stage: "writing", dtype, done: written.length, total: most, text: soFar(tokenizer, written) }),
    },
  );
  return {
    dtype,
    promptTokens: prompt,
    tokens,
    text: tokenizer?.decode(tokens) ?? null,
    ended,
    secondsToLoad: loaded - began,
    secondsToFirstToken,
    secondsPerToken: steps,
    bytes: memory.bytes,
    matrixBytes: memory.byRole.matrix,
  };
}

const described = ({ model, storedAs }: Checkpoint): TextResult["model"] => ({
  name: model._name_or_path,
  architecture: model.model_type,
  storedAs,
  layers: model.num_hidden_layers,
  hidden: model.hidden_size,
  vocabulary: model.vocab_size,
  context: model.max_position_embeddings,
});

/** The plan of a measurement: the files' model whole, and the probes that say what the device can do. */
const planOf = (
  order: TextOrder,
  measure: NonNullable<TextOrder["measure"]>,
  dtypes: readonly DType[],
): Plan => ({
  ...measure,
  model: [],
  dtype: [...dtypes],
  kernel: [],
  calls: [],
  memory: order.memory,
  forward: true,
  train: false,
});

/** Throws where a measurement goes beyond the model's context. */
function assertContext(
  { max_position_embeddings: context }: Checkpoint["model"],
  measure: TextOrder["measure"],
): void {
  if (measure === null) return;
  const [depth, prompt, answer] = [measure.depth, measure.pp, measure.tg].map((list) => Math.max(...list, 0));
  const tokens = (depth ?? 0) + (prompt ?? 0) + (answer ?? 0) + 1;
  if (tokens > context)
    throw new BadWeights(
      `depth=${depth} pp=${prompt} tg=${answer} are ${tokens} tokens with the one that follows, and the model's context (max_position_embeddings) is ${context}`,
    );
}

/** Runs the model whole, as a plan's models are. */
function measured(
  host: Host,
  checkpoint: Checkpoint,
  plan: Plan,
  tell: (progress: TextProgress) => void,
): Promise<Result> {
  const { model } = checkpoint;
  const own = {
    name: model._name_or_path,
    model,
    fill: (dtype: DType) => uploadWeights(checkpoint, dtype, () => {}),
  };
  return run(
    plan,
    host,
    ({ label, done, total }) => tell({ stage: "measuring", dtype: null, done, total, text: label }),
    { own },
  );
}

/** What a reader of the text should know about the files. */
function remarksOn(checkpoint: Checkpoint): string[] {
  const { tokenizer, ends, weights, storedAs } = checkpoint;
  const others = [...new Set(weights.stored.map(({ type }) => type))].filter((type) => type !== storedAs);
  return [
    ...("missing" in tokenizer
      ? [`${tokenizer.missing}: the prompt and the text are numbers of tokens.`]
      : []),
    ...(ends.length === 0 ? ["The files name no token that ends a text: it ends with its length."] : []),
    ...(others.length > 0 ? [`Beside ${storedAs} the files store weights as ${others.join(", ")}.`] : []),
  ];
}

/**
 * Opens a model from files and writes a text with it in each type. What is wrong with the files, or what the device
 * cannot do, is an outcome; throws NoDevice where there is no GPU.
 */
export async function writeText(
  host: Host,
  files: WeightFiles,
  order: TextOrder,
  tell: (progress: TextProgress) => void,
): Promise<TextOutcome> {
  let gpu: Gpu | undefined;
  try {
    tell({ stage: "reading the files", dtype: null, done: 0, total: 1, text: "" });
    const checkpoint = await openCheckpoint(files, order.name);
    const { tokenizer: made, model, storedAs } = checkpoint;
    const tokenizer = "files" in made ? await openTokenizer(made.where, made.files) : undefined;
    const prompt = promptTokens(order.prompt, tokenizer, checkpoint);
    const most = mostTokens(model, prompt.length, order.most);
    assertContext(model, order.measure);

    gpu = await openDevice(host);
    const opened = gpu;
    const chosen = order.dtypes.length > 0 ? order.dtypes : [closestType(storedAs, gpu.has("shader-f16"))];
    const memory = memoryBudget({ memory: order.memory }, gpu.mobile);
    for (const dtype of chosen) assertPossible(gpu, checkpoint, dtype, memory);
    const texts: WrittenText[] = [];
    for (const dtype of chosen)
      texts.push(await writeOne(opened, checkpoint, tokenizer, { dtype, prompt, most }, tell));
    const { measure } = order;
    return {
      ok: true,
      result: {
        tool: { version: __VERSION__, commit: __COMMIT__ },
        createdAt: new Date().toISOString(),
        host: host.info,
        device: gpu.info,
        model: described(checkpoint),
        prompt: order.prompt,
        remarks: remarksOn(checkpoint),
        texts,
        measured: measure && (await measured(host, checkpoint, planOf(order, measure, chosen), tell)),
      },
    };
  } catch (error) {
    if (error instanceof BadWeights) return { ok: false, fault: "input", problem: error.message };
    if (gpu === undefined) throw error;
    const cause = await gpu.assertAlive(error).then(
      () => error,
      (gone: unknown) => gone,
    );
    return { ok: false, fault: "run", problem: cause instanceof Error ? cause.message : String(cause) };
  } finally {
    gpu?.close();
  }
}
