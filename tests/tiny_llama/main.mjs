// `node tests/tiny_llama/main.mjs`: the training is TypeScript that Vite loads.

import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const { module } = await runnerImport("./tests/tiny_llama/train.ts", {
  configFile: false,
  logLevel: "error",
});
module.train(fileURLToPath(new URL("../fixtures/tiny-llama", import.meta.url)));
