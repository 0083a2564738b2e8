// Each adapter has what the other tests come to it for; without that, they would skip what nothing else runs.

import { beforeAll, describe, expect, test } from "vitest";
import { type Adapter, adapter } from "./adapter";

const MATRIX = "chromium-experimental-subgroup-matrix";

/** What kernels of these tests want of an adapter. Nothing is known of a machine's own. */
const wanted: Readonly<Record<Adapter, readonly string[]>> = {
  swiftshader: ["timestamp-query", "subgroups"],
  llvmpipe: ["timestamp-query", "shader-f16"],
  lavapipe: ["timestamp-query", "shader-f16", "subgroups", MATRIX],
  hardware: [],
};

let offered: GPUAdapter;

beforeAll(async () => {
  const found = await navigator.gpu.requestAdapter();
  if (found === null) throw new Error("no adapter");
  offered = found;
});

test(`${adapter} has the features that tests need it for`, () => {
  expect([...offered.features]).toEqual(expect.arrayContaining([...wanted[adapter]]));
});

describe.runIf(adapter === "lavapipe")("lavapipe", () => {
  test("is what runs under SwiftShader's name, in subgroups of 8 and with matrices of 8x8x8", () => {
    const { description, subgroupMinSize, subgroupMaxSize } = offered.info;
    expect(description).toMatch(/^llvmpipe/);
    expect([subgroupMinSize, subgroupMaxSize]).toEqual([8, 8]);
    const configs = "subgroupMatrixConfigs" in offered.info ? offered.info.subgroupMatrixConfigs : [];
    const cube = { M: 8, N: 8, K: 8 };
    expect(configs).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...cube, componentType: "f16", resultComponentType: "f32" }),
        expect.objectContaining({ ...cube, componentType: "i8", resultComponentType: "i32" }),
      ]),
    );
  });

  test("multiplies f16 matrices in a subgroup of 8", async () => {
    const device = await offered.requestDevice({
      // @webgpu/types does not know the last one yet.
      requiredFeatures: ["shader-f16", "subgroups", MATRIX as GPUFeatureName],
    });
    // a[m][k] = m + k / 8, b[k][n] = k - n: exact in f16, and every sum of their products in f32.
    const code = `
      enable f16;
      enable subgroups;
      enable chromium_experimental_subgroup_matrix;
      alias Left = subgroup_matrix_left<f16, 8, 8>;
      alias Right = subgroup_matrix_right<f16, 8, 8>;
      alias Sum = subgroup_matrix_result<f32, 8, 8>;
      var<workgroup> a: array<f16, 64>;
      var<workgroup> b: array<f16, 64>;
      // The product, then the size of the subgroup.
      @group(0) @binding(0) var<storage, read_write> c: array<f32, 65>;
      @compute @workgroup_size(8)
      fn main(@builtin(local_invocation_index) row: u32, @builtin(subgroup_size) lanes: u32) {
        for (var i = 0u; i < 8u; i++) {
          a[row * 8u + i] = f16(row) + f16(i) / 8.0h;
          b[row * 8u + i] = f16(row) - f16(i);
        }
        workgroupBarrier();
        let left = subgroupMatrixLoad<Left, row_major>(&a, 0u, 8u);
        let right = subgroupMatrixLoad<Right, row_major>(&b, 0u, 8u);
        subgroupMatrixStore<row_major>(&c, 0u, subgroupMatrixMultiplyAccumulate(left, right, Sum()), 8u);
        c[64] = f32(lanes);
      }`;
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    const size = 65 * Float32Array.BYTES_PER_ELEMENT;
    const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const copy = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const layout = pipeline.getBindGroupLayout(0);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
    device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);

    const eight = [0, 1, 2, 3, 4, 5, 6, 7];
    const product = eight.flatMap((m) =>
      eight.map((n) => eight.reduce((sum, k) => sum + (m + k / 8) * (k - n), 0)),
    );
    expect([...new Float32Array(copy.getMappedRange())]).toEqual([...product, 8]);
    device.destroy();
  });
});
