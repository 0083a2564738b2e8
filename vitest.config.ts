import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { define } from "./build.config.ts";
import { isolationHeaders } from "./src/app/page_headers.ts";
import { engines, findBrowser, launchOptions } from "./src/cli/browsers.ts";

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

/** The browsers that are here; a rung without any has no instance, and tests/run.mjs says so. */
const instances = engines.flatMap((engine) => {
  const found = findBrowser(engine);
  if (found === undefined) return [];
  const launch = launchOptions(found).options;
  return [{ browser: engine, name: engine, provider: playwright({ launchOptions: launch }) }];
});

/** Vitest refuses a browser project without a browser. */
const gpu: TestProjectConfiguration = {
  extends: true,
  test: {
    name: "gpu",
    include: ["tests/gpu/**/*.test.ts"],
    browser: { enabled: true, headless: true, screenshotFailures: false, instances },
    testTimeout: 300_000,
  },
};

export default defineConfig({
  define,
  server: { headers: isolationHeaders },
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["tests/unit/**/*.test.ts", "tests/*.test.ts"] } },
      ...(instances.length > 0 ? [gpu] : []),
      {
        extends: true,
        test: { name: "e2e", include: ["tests/e2e/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 60_000 },
      },
    ],
    // Two software adapters at once on two cores would only take turns.
    fileParallelism: false,
  },
});
