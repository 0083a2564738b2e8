// Which types whole models are tested in on which adapter.

import { type Gpu, unsupported } from "../../src/engine/device";
import { type DType, quantsOf } from "../../src/kernels/elements";
import { adapter } from "./adapter";

/** Why whole models are not run in a type here, or undefined. */
export const notRun = (gpu: Gpu, dtype: DType): string | undefined =>
  unsupported(gpu, dtype) ??
  (adapter === "swiftshader" && quantsOf[dtype] !== undefined
    ? "SwiftShader takes minutes to compile quantised models: the other adapters run them"
    : undefined);
