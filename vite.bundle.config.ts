import { defineConfig } from "vite";
import { define } from "./build.config.ts";

/** The command line of the bundle for GPU servers: one file without browsers, with everything inside but Dawn. */
export default defineConfig({
  define: { ...define, __BROWSERS__: "false" },
  publicDir: false,
  ssr: { noExternal: true, external: ["webgpu"] },
  build: {
    target: "node20",
    ssr: "src/cli/main.ts",
    rolldownOptions: { output: { entryFileNames: "[name].mjs", codeSplitting: false } },
  },
});
