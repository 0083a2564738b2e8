// npm run calibrate, from TypeScript that Vite loads.

import { runnerImport } from "vite";

const { module } = await runnerImport("./calibration/calibrate.ts", { configFile: false, logLevel: "error" });
module.calibrate();
