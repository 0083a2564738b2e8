// The whole engine in a real browser: what a run keeps when something breaks.

import { afterEach, describe, expect, test } from "vitest";
import type { Host } from "../../src/engine/host";
import { type Progress, run } from "../../src/engine/run";
import { kernels } from "../../src/kernels";
import { type Plan, parsePlanWords } from "../../src/plan";
import { parseResult, type Result } from "../../src/result";
import { host } from "./device";

function plan(words: string): Plan {
  const parsed = parsePlanWords(words.split(" "));
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.plan;
}

const small = plan("preset=smoke dtype=f32 memory=16MiB kernel=matmul:33x64x128,matvec:1x64x256,add:33x64");

/** A host whose devices the test can do things to as they are opened. */
function hostWith(change: (device: GPUDevice, number: number) => void, deadlineSeconds = 30): Host {
  let opened = 0;
  const gpu = {
    async requestAdapter(options?: GPURequestAdapterOptions) {
      const adapter = await navigator.gpu.requestAdapter(options);
      const request = adapter?.requestDevice.bind(adapter);
      if (adapter === null || request === undefined) return null;
      return Object.assign(adapter, {
        async requestDevice(descriptor?: GPUDeviceDescriptor) {
          const device = await request(descriptor);
          change(device, ++opened);
          return device;
        },
      });
    },
  } as GPU;
  return { ...host, gpu, deadlineSeconds };
}

/** One token read and one written by the smallest model, after the products that take most of the time. */
const whole = plan(
  "preset=smoke dtype=f32 memory=16MiB kernel=matvec model=smollm2-135m pp=1 tg=1 forward=on",
);

/** The same after the probes alone. */
const lost = plan("preset=smoke dtype=f32 memory=16MiB kernel=copy model=smollm2-135m pp=1 tg=1 forward=on");

const statuses = ({ outcomes }: Result) => outcomes.map(({ call, status }) => `${call.kernel} ${status}`);

/** Changes the text of all of a kernel's shaders that have it; back after the test. */
function change(kernel: "matmul" | "matvec", from: string, to: string): void {
  for (const { shaders } of Object.values(kernels[kernel].variants)) {
    for (const [stem, text] of Object.entries(shaders)) {
      changed.push({ shaders, stem, text });
      Object.assign(shaders, { [stem]: text.replace(from, to) });
    }
  }
}
const changed: { shaders: Readonly<Record<string, string>>; stem: string; text: string }[] = [];

afterEach(() => {
  for (const { shaders, stem, text } of changed.splice(0).reverse()) Object.assign(shaders, { [stem]: text });
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
      "add measured",
    ]);
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual({ ok: true, result });
    expect(seen.at(-1)).toMatchObject({ label: "done", done: 7, total: 7 });
  });

  test("reports a kernel that computes the wrong thing as failed and never times it", async () => {
    change("matmul", "k < end; k +=", "k + STEP_K < end; k +=");
    change("matmul", "k < words_k; k +=", "k + STEP_K < words_k; k +=");
    const result = await run(small, host, () => {});
    const matmul = result.outcomes.find(({ call }) => call.kernel === "matmul");
    expect(matmul).toMatchObject({ status: "failed", error: expect.stringContaining("rounding explains") });
    expect(matmul).not.toHaveProperty("timing");
    expect(result.outcomes.find(({ call }) => call.kernel === "matvec")?.status).toBe("measured");
    expect(result.completion.status).toBe("complete");
  });

  test("reports a kernel that writes only a part of its output", async () => {
    change("matvec", "first + r < shape.N)", "first + r + 1u < shape.N)");
    const result = await run(small, host, () => {});
    expect(result.outcomes.find(({ call }) => call.kernel === "matvec")).toMatchObject({
      status: "failed",
      error: expect.stringContaining("was not written"),
    });
  });

  test("reports a shader that does not compile at the shader file's own line", async () => {
    change("matmul", "let words_n =", "let words_n = nonsense +");
    const result = await run(small, host, () => {});
    const outcome = result.outcomes.find(({ call }) => call.kernel === "matmul");
    const error = outcome?.status === "failed" ? outcome.error : "";
    const [, stem = "", line] = /^shaders\/(\w+)\.wgsl:(\d+): /.exec(error) ?? [];
    const shaders = Object.assign({}, ...Object.values(kernels.matmul.variants).map((each) => each.shaders));
    expect(shaders[stem]?.split("\n")[Number(line) - 1], error).toContain("nonsense");
  });

  test("goes on with the next cell on a fresh device when its own is lost, and says so", async () => {
    let current: GPUDevice | undefined;
    const fragile = hostWith((device) => {
      current = device;
    });
    const result = await run(small, fragile, ({ cell }) => {
      if (cell?.call.kernel === "matvec") current?.destroy();
    });
    expect(result.completion).toEqual({ status: "complete" });
    expect(statuses(result)).toEqual([
      "fma measured",
      "read measured",
      "copy measured",
      "matmul measured",
      "matvec failed",
      "add measured",
    ]);
    expect(result.outcomes[4]).toMatchObject({ error: expect.stringContaining("device lost") });
    expect(result.incidents).toHaveLength(1);
    expect(parseResult(JSON.parse(JSON.stringify(result))).ok).toBe(true);
  });

  test("gives up a device that does not answer, at the deadline, and goes on with another", async () => {
    let current: GPUDevice | undefined;
    const silent = hostWith((device) => {
      current = device;
    }, 2);
    const result = await run(small, silent, ({ cell }) => {
      if (cell?.call.kernel !== "matmul" || current === undefined) return;
      // What a dispatch that never finishes looks like from here: nothing that waits for it is ever told.
      const { queue } = current;
      Object.assign(queue, { onSubmittedWorkDone: () => new Promise(() => {}) });
      const createBuffer = current.createBuffer.bind(current);
      Object.assign(current, {
        createBuffer: (descriptor: GPUBufferDescriptor) =>
          Object.assign(createBuffer(descriptor), { mapAsync: () => new Promise(() => {}) }),
      });
    });
    expect(result.completion).toEqual({ status: "complete" });
    const matmul = result.outcomes.find(({ call }) => call.kernel === "matmul");
    expect(matmul).toMatchObject({ status: "failed", error: expect.stringContaining("no answer in 2 s") });
    expect(statuses(result).filter((each) => each.endsWith("measured"))).toHaveLength(5);
  });

  test("runs models whole after their kernels", async () => {
    const labels: string[] = [];
    const result = await run(whole, host, ({ label }) => labels.push(label));
    expect(result.completion).toEqual({ status: "complete" });
    expect(labels.slice(-2)).toEqual(["running smollm2-135m pp1+tg1 f32", "done"]);
    expect(result.forwards).toHaveLength(1);
    expect(result.forwards[0]).toMatchObject({
      status: "measured",
      model: "smollm2-135m",
      ofLayers: 30,
      decode: { steps: 1 },
      hidden: false,
    });
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual({ ok: true, result });
    // A run that goes on with this one has nothing left to do.
    const again = await run(whole, host, () => {}, { earlier: structuredClone(result) });
    expect(again.forwards).toEqual(result.forwards);
  });

  test("loses a whole model with its device, and no more", async () => {
    let current: GPUDevice | undefined;
    const fragile = hostWith((device) => {
      current = device;
    });
    const result = await run(lost, fragile, ({ forward }) => {
      if (forward?.model === "smollm2-135m") current?.destroy();
    });
    expect(result.completion).toEqual({ status: "complete" });
    expect(statuses(result)).toEqual(["fma measured", "read measured", "copy measured"]);
    expect(result.forwards).toMatchObject([
      { status: "failed", reason: expect.stringContaining("device lost") },
    ]);
    expect(result.incidents).toHaveLength(1);
  });

  test("takes half as much memory where the weights are refused, and says so", async () => {
    let refused = 0;
    const poor = hostWith((device) => {
      const push = device.pushErrorScope.bind(device);
      const pop = device.popErrorScope.bind(device);
      const create = device.createBuffer.bind(device);
      const filters: GPUErrorFilter[] = [];
      let pending = false;
      Object.assign(device, {
        createBuffer(descriptor: GPUBufferDescriptor) {
          // The only buffers as large as this are weights.
          if (descriptor.size > 2 ** 24) pending = true;
          return create(descriptor);
        },
        pushErrorScope(filter: GPUErrorFilter) {
          filters.push(filter);
          push(filter);
        },
        async popErrorScope() {
          const real = pop();
          if (filters.pop() !== "out-of-memory" || !pending) return real;
          pending = false;
          refused++;
          await real;
          return new GPUOutOfMemoryError("no memory left, says the test");
        },
      });
    });
    const result = await run({ ...small, memory: 2 ** 26 }, poor, () => {});
    expect(refused).toBe(2);
    expect(result.completion).toEqual({ status: "complete" });
    expect(result.incidents.map(({ says }) => says)).toEqual([
      "64 MiB of weights were refused: tried again with half",
      "32 MiB of weights were refused: tried again with half",
    ]);
    expect(statuses(result).every((each) => each.endsWith("measured"))).toBe(true);
  });

  test("skips a type that the device does not have, with the reason", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const result = await run(
      plan("preset=smoke dtype=f16 memory=16MiB kernel=matvec:1x64x256"),
      host,
      () => {},
    );
    const [outcome] = result.outcomes.filter(({ call }) => call.kernel === "matvec");
    expect(outcome?.status).toBe(adapter?.features.has("shader-f16") ? "measured" : "skipped");
    if (outcome?.status === "skipped") expect(outcome.reason).toContain("shader-f16");
  });
});
