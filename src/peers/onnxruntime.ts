// ONNX Runtime Web on its WebGPU execution provider.

import wasm from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import * as ort from "onnxruntime-web/webgpu";
import type { Contender, Done, Way, Ways } from "./contender";
import type { Dense } from "./data";
import { encodeModel, type Value } from "./onnx_model";
import {
  gemm,
  groupQueryAttention,
  manifold,
  matMul,
  matMulNBits,
  multiHeadAttention,
  type OnnxWork,
} from "./onnx_work";

/**
 * Nodes per run where one takes less than so many seconds: in practice a run is a whole model, and a model of one node
 * would mostly measure what a run costs (about 1 ms).
 */
const MANY = { nodes: 16, below: 0.025 };

const BYTES = 4;
const count = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** A model that is loaded, with all its tensors where it wants them. */
interface Session {
  /** Resolves when the commands are submitted. */
  run(): Promise<void>;
  readonly answer: GPUBuffer;
  destroy(): void;
}

async function openSession(device: GPUDevice, { model, feeds, inPlace }: OnnxWork): Promise<Session> {
  const file = encodeModel({ ...model, inputs: feeds });
  const session = await ort.InferenceSession.create(file, {
    executionProviders: [{ name: "webgpu", device }],
    preferredOutputLocation: "gpu-buffer",
    // Nodes that are all the same would be made one.
    graphOptimizationLevel: model.nodes.length > 1 ? "disabled" : "all",
  });
  const buffers = new Map<string, GPUBuffer>();
  const bufferOf = (name: string, dims: readonly number[]) => {
    const size = Math.max(16, BYTES * count(dims));
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = buffers.get(name) ?? device.createBuffer({ size, usage });
    buffers.set(name, buffer);
    return buffer;
  };
  const onGpu = ({ name, type, dims }: Value, kept = name): ort.Tensor => {
    if (type === "uint8") throw new Error(`${name}: bytes are for weights only`);
    return ort.Tensor.fromGpuBuffer(bufferOf(kept, dims), { dataType: type, dims: [...dims] });
  };
  const given = Object.fromEntries(
    feeds.map((feed): [string, ort.Tensor] => {
      const { name, type, data, dims } = feed;
      if (feed.on === "cpu")
        return [name, new ort.Tensor(type === "int32" ? "int32" : "float32", data, [...dims])];
      const tensor = onGpu(feed);
      device.queue.writeBuffer(bufferOf(name, dims), 0, data.slice());
      return [name, tensor];
    }),
  );
  const taken = Object.fromEntries(
    model.outputs.map((output): [string, ort.Tensor] => [output.name, onGpu(output, inPlace[output.name])]),
  );
  const [answer] = model.outputs;
  return {
    run: async () => {
      await session.run(given, taken);
    },
    answer: bufferOf(answer!.name, answer!.dims),
    destroy() {
      for (const buffer of buffers.values()) buffer.destroy();
      void session.release();
    },
  };
}

/** No shader takes so long to compile: what does, works. */
const COMPILING_SECONDS = 2;

/** Whether a run takes less than so many seconds. The first one compiles as well, so it may be asked twice. */
async function isShort({ run }: Session, done: Done, seconds: number): Promise<boolean> {
  for (let i = 0; i < 2; i++) {
    const began = performance.now();
    await run();
    await done();
    const took = (performance.now() - began) / 1000;
    if (took < seconds) return true;
    if (took > COMPILING_SECONDS) return false;
  }
  return false;
}

async function prepare(device: GPUDevice, done: Done, work: OnnxWork): Promise<Contender> {
  let session = await openSession(device, work);
  let nodes = 1;
  if (await isShort(session, done, MANY.below)) {
    session.destroy();
    nodes = MANY.nodes;
    session = await openSession(device, manifold(work, nodes));
  }
  const { run, answer, destroy } = session;
  return {
    unit: nodes,
    async run(times) {
      for (let executed = 0; executed < times; executed += nodes) await run();
      await done();
    },
    async read() {
      await run();
      const { size } = answer;
      const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(answer, 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const values = new Float32Array(staging.getMappedRange().slice(0));
      staging.destroy();
      return values;
    },
    destroy,
  };
}

/** Loads the runtime for this device. */
export function onnxRuntime(device: GPUDevice, done: Done): Ways {
  ort.env.wasm.wasmPaths = { wasm };
  // Threads would need workers; the work is on the GPU.
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const way = (variant: string, work: () => OnnxWork, arithmetic: Way["arithmetic"] = "f32"): Way => ({
    variant,
    arithmetic,
    prepare: () => prepare(device, done, work()),
  });
  return ({ call }, { inputs, quantised }) => {
    if (call.kernel === "attention") {
      const { queries, keys, heads, kvHeads } = call.shape;
      const grouped = way("GroupQueryAttention", () => groupQueryAttention(call.shape, inputs));
      const plain = way("MultiHeadAttention", () => multiHeadAttention(call.shape, inputs));
      return heads === kvHeads && queries === keys ? [grouped, plain] : [grouped];
    }
    const [x, w] = inputs as readonly [Dense, Dense];
    if (quantised === undefined)
      return [
        way("MatMul, weights (K, N)", () => matMul(call.shape, x, w)),
        way("Gemm, weights (N, K)", () => gemm(call.shape, x, w)),
      ];
    const nBits = (level: number, arithmetic: Way["arithmetic"]) =>
      way(
        `MatMulNBits, accuracy level ${level}`,
        () => matMulNBits(call.shape, x, quantised, level),
        arithmetic,
      );
    return [nBits(0, "f32"), nBits(4, "int8 activations")];
  };
}
