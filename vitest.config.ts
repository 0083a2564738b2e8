import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { define } from "./build.config.ts";
import { isolationHeaders } from "./src/app/page_headers.ts";
import { type Engine, engines, type FoundBrowser, findBrowser, launchOptions } from "./src/cli/browsers.ts";
import { hasGpuDevice } from "./src/cli/gpu_devices.ts";
import { onLavapipe } from "./tests/adapters/rig.ts";
import type { Adapter } from "./tests/gpu/adapter.ts";

// Vitest's reporter prints failures with Map.groupBy, which Node 20 does not have.
Map.groupBy ??= <K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> => {
  const groups = new Map<K, T[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
};

const lavapipe = onLavapipe("chromium");

/** Of the engine, of graphs and of files, whatever the adapter computes with: Chromium runs them where shaders compile fast. */
const oncePerBrowser = [
  "run",
  "forward_run",
  "forward_cache",
  "forward_onnx",
  "training_run",
  "training_jax",
  "weights",
].map((name) => `tests/gpu/${name}.test.ts`);

/** A browser of the gpu rung. Software adapters need not tell their name, so tests are told it. */
function instance(name: string, found: FoundBrowser, adapter: Adapter) {
  const eased = adapter === "swiftshader" && lavapipe !== undefined;
  return {
    browser: found.engine,
    name,
    provide: { adapter, eased },
    provider: playwright({ launchOptions: launchOptions(found).options }),
    exclude: eased ? oncePerBrowser : [],
  };
}

const software: Readonly<Record<Engine, Adapter>> = { chromium: "swiftshader", firefox: "llvmpipe" };

/** The browsers that are here; tests/run.mjs builds the last one, and says which are not. */
const instances = [
  ...engines.flatMap((engine) => {
    const found = findBrowser(engine);
    return found === undefined
      ? []
      : [instance(engine, found, hasGpuDevice() ? "hardware" : software[engine])];
  }),
  ...(lavapipe === undefined
    ? []
    : [instance("chromium-lavapipe", { engine: "chromium", path: lavapipe }, "lavapipe")]),
];

/** Vitest refuses a browser project without a browser. */
const gpu: TestProjectConfiguration = {
  extends: true,
  // Found only when the first test that imports it runs, it would make Vite reload that test.
  optimizeDeps: { include: ["onnxruntime-web/wasm", "@jax-js/jax"] },
  test: {
    name: "gpu",
    include: ["tests/gpu/**/*.test.ts"],
    browser: { enabled: true, headless: true, screenshotFailures: false, instances },
    testTimeout: 300_000,
  },
};

/** The longest file begins first, or its end is waited for while nothing runs beside it. */
class EnduranceFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    const rank = ({ moduleId }: TestSpecification) => (moduleId.endsWith("/endurance.test.ts") ? 0 : 1);
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  define,
  server: { headers: isolationHeaders },
  test: {
    projects: [
      {
        extends: true,
        // Simulated runs take seconds, and longer on a busy machine, which is no failure.
        test: { name: "unit", include: ["tests/unit/**/*.test.ts", "tests/*.test.ts"], testTimeout: 60_000 },
      },
      ...(instances.length > 0 ? [gpu] : []),
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["tests/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          // A page on a busy machine takes seconds to answer.
          expect: { poll: { timeout: 30_000 } },
        },
      },
    ],
    // One file at a time for whoever looks at one thing; tests/run.mjs has as many as there are cores for.
    fileParallelism: false,
    sequence: { sequencer: EnduranceFirst },
  },
});
