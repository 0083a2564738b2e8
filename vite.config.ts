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

/** The pages, one to measure and one of the chips: `dist/page`, relative addresses only, so that it works from any folder of any host. */
export default defineConfig({
  base: "./",
  define,
  plugins: [policyTag],
  build: {
    outDir: "dist/page",
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { input: { index: "index.html", chips: "chips.html" } },
  },
  worker: { format: "es" },
  server: { headers: isolationHeaders },
});
