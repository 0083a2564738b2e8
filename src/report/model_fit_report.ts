// Before a run: what models take, whether they fit, what would fit instead, and how long it will take, in words.

import {
  contextOf,
  type FitDevice,
  type FitQuestion,
  isWhole,
  type ModelFit,
  modelFit,
  whatWouldFit,
} from "../analysis/model_fit";
import type { RunTime } from "../analysis/run_time";
import { duration, memory } from "../units";
import type { Cell, Table } from "./report_types";
import { cell } from "./wording";

type DType = FitQuestion["dtype"];

/** Memory as a plan's words write it. */
const memoryWord = (bytes: number) =>
  bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}GiB` : `${Math.ceil(bytes / 2 ** 20)}MiB`;

/** Whether a model fits, in a few words. */
function fitText(fit: ModelFit): string {
  if (fit.problem !== undefined) return `no: ${fit.problem}`;
  return isWhole(fit) ? "fits" : `${fit.residentLayers} of ${fit.ofLayers} layers in memory, taking turns`;
}

/** One model in one type and, where it is not whole, what would be. */
export function fitSentence(fit: ModelFit, device?: FitDevice): string {
  const { model, dtype, weights, cache, problem } = fit;
  const takes = `${model} ${dtype}: ${memory(weights)} of weights, ${memory(cache)} of KV cache for ${fit.batch} × ${contextOf(fit)} tokens`;
  if (isWhole(fit)) return `${takes}; fits memory=${memoryWord(fit.memory)}.`;
  const instead = whatWouldFit(fit, device);
  const others = instead.models.map((each) => `${each.model} ${each.dtype}`);
  const would = [
    ...(problem === undefined ? [`it with memory=${memoryWord(instead.memory)}`] : []),
    ...(instead.dtypes.length > 0 ? [`it as dtype=${instead.dtypes.join(" or ")}`] : []),
    ...(others.length > 0 ? [others.join(" or ")] : []),
  ];
  const is =
    problem === undefined
      ? `${takes}; memory=${memoryWord(fit.memory)} holds ${fit.residentLayers} of ${fit.ofLayers} layers, which take turns`
      : `${model} ${dtype} cannot be run whole: ${problem}`;
  return `${is}. ${would.length === 0 ? "Nothing else that is known here would fit." : `Would fit: ${would.join("; ")}.`}`;
}

/** The time of a run, before it is started. */
export function runTimeText(time: RunTime | undefined): string {
  if (time === undefined)
    return "How long it takes is not known: no earlier run on this device has measured its roofs.";
  const { value, low, high } = time.seconds;
  const longest = [...time.parts].sort((a, b) => b.seconds.value - a.seconds.value)[0];
  const most = longest === undefined ? "" : `, most of it for ${longest.part}`;
  return `About ${duration(value)} (${duration(low)} to ${duration(high)})${most}: from the roofs of an earlier run on this device.`;
}

const idOf = ({ model, dtype }: ModelFit) => `${model} ${dtype}`;

/** Models and types beside each other. The row's id is "MODEL TYPE"; `able` has those that can be run. */
export function fitTable(
  models: readonly string[],
  types: readonly DType[],
  question: Omit<FitQuestion, "dtype">,
  device: FitDevice | undefined,
  timeOf: (model: string, dtype: DType) => RunTime | undefined = () => undefined,
): Table & { readonly ids: readonly string[]; readonly able: ReadonlySet<string> } {
  const fits = models.flatMap((model) =>
    types.map((dtype) => modelFit(model, { ...question, dtype }, device)),
  );
  const row = (fit: ModelFit): Cell[] => {
    const time = fit.problem === undefined ? timeOf(fit.model, fit.dtype)?.seconds : undefined;
    return [
      cell(fit.model),
      cell(fit.dtype),
      cell(memory(fit.weights)),
      cell(fit.cache === 0 ? "" : memory(fit.cache)),
      cell(fitText(fit)),
      time === undefined
        ? cell(fit.problem === undefined ? "not known" : "")
        : {
            text: `${duration(time.value)} (${duration(time.low)} … ${duration(time.high)})`,
            number: { ...time, unit: "s" },
          },
    ];
  };
  return {
    title: "What fits, and how long it takes",
    note:
      `Each model whole, ${question.batch} × ${contextOf({ ...question, dtype: "f32" })} tokens, weights within memory=${memoryWord(question.memory)}. ` +
      "The KV cache comes on top. WebGPU tells limits of single buffers, and not how much memory there is. Times are predicted from the roofs of an earlier run on this device.",
    columns: ["model", "type", "weights", "KV cache", "fits", "time of the run"],
    rows: fits.map(row),
    ids: fits.map(idOf),
    able: new Set(fits.filter(({ problem }) => problem === undefined).map(idOf)),
  };
}
