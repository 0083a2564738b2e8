import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { define } from "./build.config.ts";

const versions = Object.fromEntries(
  ["onnxruntime-web", "@tensorflow/tfjs-backend-webgpu", "@jax-js/jax"].map((name) => {
    const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
    return [name, JSON.parse(readFileSync(file, "utf8")).version];
  }),
);

/** The page of `tokenroof peers`: `dist/peers`, which brings other runtimes along and is no part of what is published. */
export default defineConfig({
  root: fileURLToPath(new URL("src/peers", import.meta.url)),
  base: "./",
  define: { ...define, __PEER_VERSIONS__: JSON.stringify(versions) },
  build: {
    outDir: "../../dist/peers",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
  },
});
