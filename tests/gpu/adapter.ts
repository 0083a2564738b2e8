// Which adapter a test runs on. vitest.config.ts says it for each browser that it starts: Chromium on lavapipe calls
// itself SwiftShader.

import { inject } from "vitest";

/** Software adapters, and whatever GPU the machine has. */
export type Adapter = "swiftshader" | "llvmpipe" | "lavapipe" | "hardware";

declare module "vitest" {
  interface ProvidedContext {
    adapter: Adapter;
    eased: boolean;
  }
}

export const adapter = inject("adapter");

/**
 * Whether this is Chromium on SwiftShader, whose compiler takes ten times as long as the others', and Chromium on lavapipe
 * is there to run what is left out here.
 */
export const eased = inject("eased");
