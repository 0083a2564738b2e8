// A device and everything that hangs on it. When the device goes, all of it goes, and another takes its place.

import { type DType, weightBytes } from "../kernels/elements";
import { memoryBudget, type Plan } from "../plan";
import type { Result } from "../result";
import { layerParameters, modelConfig, parameters } from "../workloads";
import { calibrate } from "./calibrate";
import { NoAnswer, sleep } from "./clock";
import { DeviceLost, type Gpu, NoDevice, openDevice } from "./device";
import type { Host } from "./host";
import type { Bench } from "./measure";
import { prepareReference } from "./reference";
import { createTimer } from "./timer";
import { allocateWeights, streamedBy, type Weights } from "./weights";

/** Weights below this could stay in a large last-level cache from one token to the next. */
const MIN_WEIGHTS = 2 ** 28;

/** With less than this there is nothing to stream. */
const LEAST_WEIGHTS = 2 ** 24;

/** A browser takes a moment to start its GPU process again. */
const REOPEN_SECONDS = [0, 1, 4];

export interface Session extends Bench {
  /** Weights of a type; those of the type before make room for them. Throws when there is not that much memory. */
  weightsOf(dtype: DType): Promise<Weights>;
  /** Gives their memory back, until they are asked for again. */
  freeWeights(): void;
  close(): void;
}

/** Whether an error means that the device cannot be used any more: it is lost, or it does not answer. */
export const isGone = (error: unknown): boolean => error instanceof DeviceLost || error instanceof NoAnswer;

/** Bytes of weights to begin with: no more than the plan allows, nor than its models have. */
function wantedBytes(plan: Plan, dtype: DType, mobile: boolean): number {
  const models = plan.model.map((id) => parameters(modelConfig(id)) * weightBytes[dtype]);
  const budget = memoryBudget(plan, mobile);
  return models.length > 0 ? Math.min(budget, Math.max(MIN_WEIGHTS, ...models)) : budget;
}

/** How much of each model these weights hold. */
function residency(plan: Plan, { bytes, dtype }: Weights): Result["residency"] {
  return plan.model.map((model) => {
    const config = modelConfig(model);
    const layers = Math.floor(bytes / (layerParameters(config) * weightBytes[dtype]));
    const ofLayers = config.num_hidden_layers;
    return { model, dtype, layers: Math.min(layers, ofLayers), ofLayers, bytes };
  });
}

/** Opens a device; after a loss the browser may need some tries. Throws NoDevice. */
async function open(host: Host, seed: number, again: boolean): Promise<Gpu> {
  let problem: unknown;
  for (const seconds of again ? REOPEN_SECONDS : [0]) {
    if (seconds > 0) await sleep(host.clock, seconds);
    try {
      return await openDevice(host, seed);
    } catch (error) {
      if (!(error instanceof NoDevice)) throw error;
      problem = error;
    }
  }
  throw problem;
}

/**
 * Opens a device, calibrates its instruments unless the result has them, and warms up the reference kernel.
 * Throws NoDevice.
 */
export async function openSession(host: Host, result: Result, runBegan: number): Promise<Session> {
  const { plan } = result;
  const again = result.incidents.length > 0;
  const gpu = await open(host, result.seed, again);
  result.device = gpu.info;
  try {
    result.instruments ??= await calibrate(gpu);
    const { instruments } = result;
    const timer = createTimer(gpu, instruments);
    const instrument = { gpu, timer, instruments };
    const reference = await prepareReference(instrument, runBegan, result.reference ?? undefined).catch(
      async (error: unknown) => {
        await gpu.assertAlive(error);
        // Without it a run is worth less, not nothing.
        const problem = error instanceof Error ? error.message : error;
        const says = `no reference kernel, so nobody sees whether the device slows down: ${problem}`;
        result.incidents.push({ at: host.clock.now() - runBegan, says: says.slice(0, 400) });
        return undefined;
      },
    );
    result.reference = reference?.record ?? result.reference;
    let weights: Weights | undefined;
    const freeWeights = () => {
      weights?.destroy();
      weights = undefined;
    };
    return {
      ...instrument,
      reference,
      visibility: host.visibility,
      get weights() {
        return weights;
      },
      async weightsOf(dtype) {
        if (weights?.dtype === dtype) return weights;
        freeWeights();
        for (let bytes = wantedBytes(plan, dtype, gpu.mobile); ; bytes = Math.floor(bytes / 2)) {
          try {
            weights = await allocateWeights(gpu, dtype, bytes, streamedBy(plan.calls, dtype));
            break;
          } catch (error) {
            await gpu.assertAlive(error);
            if (bytes / 2 < LEAST_WEIGHTS) throw error;
            result.incidents.push({
              at: host.clock.now() - runBegan,
              says: `${Math.round(bytes / 2 ** 20)} MiB of weights were refused: tried again with half`,
            });
          }
        }
        result.residency = [
          ...result.residency.filter((each) => each.dtype !== dtype),
          ...residency(plan, weights),
        ];
        return weights;
      },
      freeWeights,
      close() {
        freeWeights();
        reference?.destroy();
        timer.destroy();
        gpu.close();
      },
    };
  } catch (error) {
    gpu.close();
    throw error;
  }
}
