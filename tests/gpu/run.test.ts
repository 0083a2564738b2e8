// The whole engine in a real browser: what a run keeps when something breaks.

import { afterEach, describe, expect, test } from "vitest";
import type { Host } from "../../src/engine/host";
import { type Progress, run } from "../../src/engine/run";
import { kernels } from "../../src/kernels";
import { type Plan, parsePlanWords } from "../../src/plan";
import { parseResult } from "../../src/result";
import { host } from "./device";

function plan(words: string): Plan {
  const parsed = parsePlanWords(words.split(" "));
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.plan;
}

const small = plan(
  "preset=smoke dtype=f32 kernel=matmul:33x64x128,matvec:1x64x256,attention:1x1x40x4x2x16x40",
);

/** A host whose device the test can take away. */
function fragileHost(): { host: Host; lose(): void } {
  let device: GPUDevice | undefined;
  const gpu = {
    async requestAdapter(options?: GPURequestAdapterOptions) {
      const adapter = await navigator.gpu.requestAdapter(options);
      const request = adapter?.requestDevice.bind(adapter);
      if (adapter === null || request === undefined) return null;
      return Object.assign(adapter, {
        async requestDevice(descriptor?: GPUDeviceDescriptor) {
          device = await request(descriptor);
          return device;
        },
      });
    },
  } as GPU;
  return { host: { ...host, gpu }, lose: () => device?.destroy() };
}

const shaders = { matmul: kernels.matmul.wgsl, matvec: kernels.matvec.wgsl };

afterEach(() => {
  Object.assign(kernels.matmul, { wgsl: shaders.matmul });
  Object.assign(kernels.matvec, { wgsl: shaders.matvec });
});

describe("a run", () => {
  test("measures every call of its plan and gives a valid result", async () => {
    const seen: Progress[] = [];
    const result = await run(small, host, (progress) => seen.push(progress));
    expect(result.completion).toEqual({ status: "complete" });
    expect(result.outcomes.map(({ status, call }) => `${call.kernel} ${status}`)).toEqual([
      "fma measured",
      "read measured",
      "copy measured",
      "matmul measured",
      "matvec measured",
      "attention measured",
    ]);
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual({ ok: true, result });
    expect(seen.at(-1)).toMatchObject({ label: "done", done: 7, total: 7 });
  });

  test("reports a kernel that computes the wrong thing as failed and never times it", async () => {
    Object.assign(kernels.matmul, {
      wgsl: shaders.matmul.replace("k < words_k; k +=", "k + STEP_K < words_k; k +="),
    });
    const result = await run(small, host, () => {});
    const matmul = result.outcomes.find(({ call }) => call.kernel === "matmul");
    expect(matmul).toMatchObject({ status: "failed", error: expect.stringContaining("rounding explains") });
    expect(matmul).not.toHaveProperty("timing");
    expect(result.outcomes.find(({ call }) => call.kernel === "matvec")?.status).toBe("measured");
    expect(result.completion.status).toBe("complete");
  });

  test("reports a kernel that writes only a part of its output", async () => {
    Object.assign(kernels.matvec, {
      wgsl: shaders.matvec.replace("first + r < shape.N)", "first + r + 1u < shape.N)"),
    });
    const result = await run(small, host, () => {});
    expect(result.outcomes.find(({ call }) => call.kernel === "matvec")).toMatchObject({
      status: "failed",
      error: expect.stringContaining("was not written"),
    });
  });

  test("reports a shader that does not compile at the shader file's own line", async () => {
    const broken = shaders.matmul.replace("let words_n =", "let words_n = nonsense +");
    Object.assign(kernels.matmul, { wgsl: broken });
    const line = broken.split("\n").findIndex((text) => text.includes("nonsense")) + 1;
    const result = await run(small, host, () => {});
    expect(result.outcomes.find(({ call }) => call.kernel === "matmul")).toMatchObject({
      status: "failed",
      error: expect.stringContaining(`shaders/matmul.wgsl:${line}`),
    });
  });

  test("keeps what was measured when the device is lost, and says so", async () => {
    const fragile = fragileHost();
    const result = await run(small, fragile.host, ({ done }) => {
      if (done === 5) fragile.lose();
    });
    expect(result.completion).toMatchObject({
      status: "partial",
      reason: expect.stringContaining("device lost"),
    });
    expect(result.outcomes.filter(({ status }) => status === "measured")).toHaveLength(4);
    expect(parseResult(JSON.parse(JSON.stringify(result))).ok).toBe(true);
  });

  test("skips a type that the device does not have, with the reason", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const result = await run(plan("preset=smoke dtype=f16 kernel=matvec:1x64x256"), host, () => {});
    const [outcome] = result.outcomes.filter(({ call }) => call.kernel === "matvec");
    expect(outcome?.status).toBe(adapter?.features.has("shader-f16") ? "measured" : "skipped");
    if (outcome?.status === "skipped") expect(outcome.reason).toContain("shader-f16");
  });
});
