// The weights' memory as it is handed out: disjoint pieces, as many as were asked for.

import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { openDevice } from "../../src/engine/device";
import { uploadWeights } from "../../src/engine/forward_upload";
import { allocateWeights } from "../../src/engine/weights";
import type { Operand } from "../../src/kernels/kernel";
import { modelConfig, type Tensor } from "../../src/workloads";
import { simulate } from "../simulation/gpu";
import { quiet } from "../simulation/hardware";

const { host, drive } = simulate(quiet);
const weights = await drive(
  openDevice(host).then((gpu) => allocateWeights(gpu, "f32", 5 * gpu.limits.maxStorageBufferBindingSize)),
);

test("as many pieces as there are, or the limit of them, all over the memory, none of them twice", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 256 }), fc.integer({ min: 1, max: 300 }), (rows, limit) => {
      const operand: Operand = { name: "w", rows, columns: 256, role: "weights", element: "f32" };
      const all = weights.pieces([operand], 5 * 256).flat();
      const pieces = weights.pieces([operand], limit).flat();
      expect(all).toHaveLength(5 * Math.floor(256 / rows));
      expect(pieces).toHaveLength(Math.min(limit, all.length));
      const places = all.map(({ buffer, offset }) => ({ buffer, offset }));
      const at = pieces.map((piece) =>
        places.findIndex(({ buffer, offset }) => buffer === piece.buffer && offset === piece.offset),
      );
      expect(at[0]).toBe(0);
      expect(at).toEqual([...new Set(at)].sort((a, b) => a - b));
      // No part of the memory is left out that would hold two shares of it.
      expect(all.length - at.at(-1)!).toBeLessThanOrEqual(Math.ceil(all.length / at.length));
    }),
  );
});

test("the scales of a cache in q8_0 are filled where the weights are a file's, too", async () => {
  const gpu = await drive(openDevice(host));
  const { device } = gpu;
  const scales: Tensor = {
    name: "layers.0.kv.scales",
    role: "cache",
    rows: 8,
    columns: 64,
    element: "f16",
    bytes: 1024,
  };
  const buffer = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE });
  const written = vi.spyOn(device.queue, "writeBuffer").mockImplementation(() => {});
  const nothing = { stored: [], parts: () => [] };
  const fill = uploadWeights(
    { model: modelConfig("llama-3.2-1b"), weights: nothing, ropeDivisors: undefined },
    "f16",
    () => {},
  );
  await drive(fill(gpu, [scales], () => buffer));
  const bytes = written.mock.calls.map(([, at, data, from = 0, count = 0]) => {
    const numbers = data as Uint16Array;
    expect([...numbers.subarray(from, from + count)].every((bits) => bits > 0)).toBe(true);
    return { at, bytes: 2 * count };
  });
  expect(bytes).toEqual([{ at: 0, bytes: 1024 }]);
});
