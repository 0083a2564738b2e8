// npm run bundle:node: the bundle for GPU servers, from TypeScript that Vite loads.

import { runnerImport } from "vite";

const { module } = await runnerImport("./bundle/bundle.ts");
process.exitCode = await module.bundle(process.argv.slice(2));
