// Runs a plan: instruments, roofs, then every cell, each on its own: a cell that fails takes nothing with it.

import type { Call } from "../kernels";
import { kernelOf } from "../kernels";
import { type DType, sizeOf } from "../kernels/kernel";
import { type Plan, workloadsOf } from "../plan";
import { type Instruments, type Outcome, type Result, SCHEMA, type TuningRecord } from "../result";
import { callName, layerParameters, modelConfig, parameters } from "../workloads";
import { calibrate } from "./calibrate";
import { type Gpu, openDevice, unsupported } from "./device";
import type { Host } from "./host";
import { efforts, measure } from "./measure";
import { divide, type Roofs } from "./pieces";
import { fittingTunings } from "./pipeline";
import { firstCalls, type Probe, probes, sweep } from "./roof";
import { createTimer, type Timer } from "./timer";
import { tune } from "./tune";
import { allocateWeights, largestPiece, type Weights } from "./weights";

export interface Progress {
  /** What is being done: "measuring matmul 512x3072x2048 f32". */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly elapsedSeconds: number;
  /** Expected time to the end, from the pace so far; null before there is one. */
  readonly etaSeconds: number | null;
  /** Everything measured so far, as a partial result: what is kept when the run is cancelled. */
  readonly result: Result;
}

/**
 * Weights below this could stay in a large last-level cache from one token to the next. On a phone, whose
 * browser is ended rather than refused memory, it is also the most.
 */
const MIN_WEIGHTS = 2 ** 28;

const message = (error: unknown) => (error instanceof Error ? error.message : String(error)).slice(0, 400);

/** Takes one unit of work off the list after another and says how long the rest will take. */
function pacer(total: number, onProgress: (progress: Progress) => void, result: Result) {
  const began = performance.now();
  let done = 0;
  const report = (label: string) => {
    const elapsedSeconds = (performance.now() - began) / 1000;
    const etaSeconds = done === 0 ? null : (elapsedSeconds / done) * (total - done);
    onProgress({ label, done, total, elapsedSeconds, etaSeconds, result });
  };
  return {
    report,
    finish() {
      done++;
    },
  };
}

/** The device, and what has been learnt about it for one type. */
interface Bench {
  readonly gpu: Gpu;
  readonly timer: Timer;
  readonly instruments: Instruments;
  readonly weights: Weights;
  readonly roofs: Roofs;
}

/** Every distinct call of the plan's workloads, in the order in which they come. */
function callsOf(result: Result): Call[] {
  const calls = new Map(
    result.workloads.flatMap(({ steps }) => steps.map(({ call }) => [callName(call), call])),
  );
  return [...calls.values()];
}

async function allocate(gpu: Gpu, plan: Plan, dtype: DType, result: Result): Promise<Weights> {
  const wanted = Math.max(
    MIN_WEIGHTS,
    ...plan.model.map((id) => parameters(modelConfig(id)) * sizeOf[dtype]),
  );
  const budget = gpu.mobile ? Math.min(plan.memory, MIN_WEIGHTS) : plan.memory;
  let bytes = plan.model.length > 0 ? Math.min(budget, wanted) : budget;
  for (;;) {
    try {
      const weights = await allocateWeights(gpu, dtype, bytes);
      for (const model of plan.model) {
        const config = modelConfig(model);
        const layers = Math.floor(weights.bytes / (layerParameters(config) * sizeOf[dtype]));
        result.residency.push({
          model,
          dtype,
          layers: Math.min(layers, config.num_hidden_layers),
          ofLayers: config.num_hidden_layers,
          bytes: weights.bytes,
        });
      }
      return weights;
    } catch (error) {
      await gpu.assertAlive();
      if (bytes <= 2 ** 25) throw error;
      bytes = Math.floor(bytes / 2);
    }
  }
}

/** Measures one call and never throws, except for the loss of the device. */
async function runCell(
  { gpu, timer, instruments, weights, roofs }: Bench,
  plan: Plan,
  call: Call,
  tunings: TuningRecord[],
): Promise<Outcome> {
  const { dtype } = weights;
  try {
    const binding = Math.min(largestPiece(gpu), weights.bytes);
    const { piece, pieces } = divide(call, dtype, roofs, binding);
    const kernel = kernelOf(piece.kernel);
    const shapeClass = kernel.shapeClass(piece.shape);
    const fitting = fittingTunings(gpu, piece.kernel, piece.shape, dtype);
    let record = tunings.find(
      (each) =>
        each.kernel === piece.kernel &&
        each.dtype === dtype &&
        each.shapeClass === shapeClass &&
        fitting.includes(each.picked),
    );
    if (record === undefined) {
      ({ record } = await tune(gpu, timer, weights, piece, dtype));
      tunings.push(record);
    }
    const cell = { call, piece, pieces, dtype, tuning: record.picked };
    return await measure(gpu, timer, instruments, weights, cell, efforts[plan.preset]);
  } catch (error) {
    await gpu.assertAlive();
    return { status: "failed", call, dtype, error: message(error) };
  }
}

/** Sweeps and measures the probes of one type; a probe that fails is recorded and leaves a cautious guess. */
async function runProbes(
  bench: Omit<Bench, "roofs">,
  plan: Plan,
  result: Result,
  pace: ReturnType<typeof pacer>,
): Promise<Roofs> {
  const { gpu, timer, instruments, weights } = bench;
  const { dtype } = weights;
  const rates: Record<Probe, number> = { fma: 1e10, read: 2e9, copy: 2e9 };
  for (const probe of probes) {
    pace.report(`measuring the roof: ${probe} ${dtype}`);
    try {
      const { call, tuning, rate, records } = await sweep(gpu, timer, weights, probe);
      rates[probe] = rate;
      result.tunings.push(...records);
      const cell = { call, piece: call, pieces: 1, dtype, tuning };
      result.outcomes.push(await measure(gpu, timer, instruments, weights, cell, efforts[plan.preset]));
    } catch (error) {
      await gpu.assertAlive();
      result.outcomes.push({ status: "failed", call: firstCalls[probe], dtype, error: message(error) });
    }
    pace.finish();
  }
  return { flops: rates.fma, bandwidth: rates.read };
}

/**
 * Runs a plan on the host's GPU. Resolves with a Result in every case but one: it throws NoDevice when
 * there is no GPU device to begin with. When the device is lost on the way, the Result is partial and
 * says so.
 */
export async function run(plan: Plan, host: Host, onProgress: (progress: Progress) => void): Promise<Result> {
  const gpu = await openDevice(host);
  const result: Result = {
    schema: SCHEMA,
    tool: { version: __VERSION__, commit: __COMMIT__ },
    createdAt: new Date().toISOString(),
    completion: { status: "partial", reason: "not finished" },
    host: host.info,
    device: gpu.info,
    instruments: null,
    plan,
    workloads: workloadsOf(plan),
    residency: [],
    tunings: [],
    outcomes: [],
  };
  const calls = callsOf(result);
  const types = plan.dtype.filter((dtype) => unsupported(gpu, dtype) === undefined);
  const pace = pacer(1 + types.length * (probes.length + calls.length), onProgress, result);
  const timer = createTimer(gpu);
  let weights: Weights | undefined;
  try {
    pace.report("calibrating the instruments");
    const instruments = await calibrate(gpu, timer);
    result.instruments = instruments;
    pace.finish();

    for (const dtype of plan.dtype) {
      const reason = unsupported(gpu, dtype);
      if (reason !== undefined) {
        for (const call of calls) result.outcomes.push({ status: "skipped", call, dtype, reason });
        continue;
      }
      pace.report(`filling memory with random ${dtype} weights`);
      weights?.destroy();
      weights = await allocate(gpu, plan, dtype, result);
      const roofs = await runProbes({ gpu, timer, instruments, weights }, plan, result, pace);
      for (const call of calls) {
        pace.report(`measuring ${callName(call)} ${dtype}`);
        const bench = { gpu, timer, instruments, weights, roofs };
        result.outcomes.push(await runCell(bench, plan, call, result.tunings));
        pace.finish();
      }
    }
    result.completion = { status: "complete" };
  } catch (error) {
    result.completion = { status: "partial", reason: message(error) };
  } finally {
    weights?.destroy();
    timer.destroy();
    gpu.close();
  }
  pace.report("done");
  return result;
}
