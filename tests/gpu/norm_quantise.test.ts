// A norm that rounds its rows to eight bits leaves the same bits as the first stage of the product after it, also where
// a thread rounds several blocks one after another.

import { expect, test } from "vitest";
import { type Gpu, guarded } from "../../src/engine/device";
import { readBack } from "../../src/engine/launch";
import { kernelOf, kernels } from "../../src/kernels";
import { type AnyTuning, bytesOf, type Stage, uniformOf, type Variant } from "../../src/kernels/kernel";
import { render } from "../../src/kernels/prelude";
import { quantisedInput } from "../../src/kernels/product";
import { randomAt } from "../../src/kernels/random";
import { useDevice } from "./device";

const gpu = useDevice();

const THREADS = 8;
/** Two blocks of 32 for each thread, and a third for one. */
const [rows, columns] = [3, 32 * (2 * THREADS + 1)];
const rounded = quantisedInput(rows, columns);
const SEED = 7;

const STORAGE = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
const UNIFORM = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;

function filled({ device }: Gpu, data: Float32Array | Uint32Array, usage: number): GPUBuffer {
  const buffer = device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

/** Runs one stage of a variant, by itself, on buffers by the names of its operands. */
async function runStage<Shape>(
  device: Gpu,
  { shaders }: Variant<Shape, AnyTuning>,
  { shader, prelude, workgroups, binds }: Stage,
  uniform: readonly number[],
  buffers: ReadonlyMap<string, GPUBuffer>,
): Promise<void> {
  await guarded(device, `running ${shader}`, () => {
    const { code } = render(prelude, shaders[shader] ?? "");
    const pipeline = device.device.createComputePipeline({
      layout: "auto",
      compute: { module: device.device.createShaderModule({ code }), entryPoint: "main" },
    });
    const bound = [
      filled(device, Uint32Array.from(uniform), UNIFORM),
      ...binds.map((bind) => buffers.get(bind)!),
    ];
    const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const layout = pipeline.getBindGroupLayout(0);
    const encoder = device.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(workgroups);
    pass.end();
    device.device.queue.submit([encoder.finish()]);
  });
}

test.for(["q8_0", "q4_0"] as const)("beside weights in %s", async (dtype) => {
  const device = gpu();
  const norm = { rows, columns, nanoEpsilon: 10_000 };
  const kernel = kernelOf("add_rms_norm");
  const buffers = new Map(
    kernel.operands(norm, dtype).map((operand, i) => {
      const numbers = Float32Array.from({ length: bytesOf(operand) / 4 }, (_, at) => randomAt(SEED + i, at));
      return [operand.name, filled(device, numbers, STORAGE)] as const;
    }),
  );
  /** Fresh memory for rounded rows, and what a stage leaves there. */
  const left = async <Shape>(
    variant: Variant<Shape, AnyTuning>,
    stage: Stage,
    uniform: readonly number[],
  ) => {
    const own = rounded.map((operand) => {
      return [operand.name, filled(device, new Uint32Array(bytesOf(operand) / 4), STORAGE)] as const;
    });
    await runStage(device, variant, stage, uniform, new Map([...buffers, ...own]));
    const words = [];
    for (const [i, [, buffer]] of own.entries())
      words.push([...new Uint32Array(await readBack(device, buffer, bytesOf(rounded[i]!)))]);
    return words;
  };

  const { quantising } = kernel.variants;
  const [inNorm] = quantising!.stages({ THREADS }, norm, dtype);
  const found = await left(quantising!, inNorm!, uniformOf(kernel, norm));

  const product = { M: rows, N: 1, K: columns };
  const { packed } = kernels.matvec.variants;
  const [alone] = packed!.stages({ LANES: 1, TEAMS: 1, ROWS: 1, SUBGROUP: 0 }, product, dtype);
  const reading = { ...alone!, binds: alone!.binds.map((bind) => (bind === "x" ? "normed" : bind)) };
  const expected = await left(packed!, reading, [product.M, product.N, product.K]);

  expect(new Set(expected[0]).size).toBeGreaterThan(rows * (columns / 32));
  expect(found).toEqual(expected);
});
