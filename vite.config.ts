import { readFile } from "node:fs/promises";
import { defineConfig, type Plugin } from "vite";
import { define } from "./build.config.ts";
import { contentSecurityPolicy, isolationHeaders } from "./src/app/page_headers.ts";

/** Writes the policy into the built page. The development server needs inline scripts, so it goes without. */
const policyTag: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: contentSecurityPolicy },
      injectTo: "head-prepend",
    },
  ],
};

/** Pages know kernels by their names and shapes; only the worker, which is built by itself, compiles their text. */
const noShaders: Plugin = {
  name: "no-shaders",
  apply: "build",
  enforce: "pre",
  load: (id) => (id.endsWith(".wgsl?raw") ? 'export default ""' : null),
};

/** Shaders travel without comments and indentation, line by line as they are: errors name the file's own lines. */
const bareShaders: Plugin = {
  name: "bare-shaders",
  apply: "build",
  enforce: "pre",
  async load(id) {
    if (!id.endsWith(".wgsl?raw")) return null;
    const wgsl = await readFile(id.slice(0, -"?raw".length), "utf8");
    return `export default ${JSON.stringify(wgsl.replace(/^[ \t]*(\/\/.*)?/gm, ""))}`;
  },
};

/** The pages, one to measure and one of the chips: `dist/page`, relative addresses only, so that it works from any folder of any host. */
export default defineConfig({
  base: "./",
  define,
  plugins: [policyTag, noShaders],
  build: {
    outDir: "dist/page",
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { input: { index: "index.html", chips: "chips.html" } },
  },
  worker: { format: "es", plugins: () => [bareShaders] },
  server: { headers: isolationHeaders },
});
