import { defineConfig } from "vite";
import { define, isolationHeaders } from "./build.config";

/** The page: `dist/page`, relative addresses only, so that it works from any folder of any host. */
export default defineConfig({
  base: "./",
  define,
  build: { outDir: "dist/page", target: "es2023", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  worker: { format: "es" },
  server: { headers: isolationHeaders },
});
