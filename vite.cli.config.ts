import { defineConfig } from "vite";
import { define } from "./build.config.ts";

/** The command line: `dist/cli/main.js`, for Node. Packages stay outside the bundle. */
export default defineConfig({
  define,
  publicDir: false,
  build: {
    outDir: "dist/cli",
    target: "node20",
    ssr: "src/cli/main.ts",
    rolldownOptions: {
      output: {
        entryFileNames: "[name].js",
        // Beside main.js: what they find by their own address stays where it is.
        chunkFileNames: "[name].js",
        banner: ({ isEntry }) => (isEntry ? "#!/usr/bin/env node" : ""),
      },
    },
  },
});
