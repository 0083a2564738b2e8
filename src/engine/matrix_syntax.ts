// Subgroup matrices are not in WGSL yet, and how they are loaded and stored was written in another way before.
// Shaders are written in the newer way; where a browser does not read it, they are translated.

import type { MatrixUnit } from "../kernels/kernel";
import { olderMatrixSyntax } from "../kernels/prelude";
import { type Gpu, guarded } from "./device";

/** Loads a matrix of a unit in the newer way, and no more. */
const trial = ({ element, M, K }: MatrixUnit): string => `
${element === "f16" ? "enable f16;" : ""}
enable chromium_experimental_subgroup_matrix;
alias Left = subgroup_matrix_left<${element}, ${K}, ${M}>;
var<workgroup> values: array<${element}, ${M * K}>;
@compute @workgroup_size(1) fn main() {
  let left = subgroupMatrixLoad<Left, row_major>(&values, 0u, ${K}u);
}`;

const readsNewer = new WeakMap<GPUDevice, Promise<boolean>>();

/** Whether the newer way is read here: a shader module is made of it. */
async function tryNewer(gpu: Gpu): Promise<boolean> {
  const unit = gpu.matrixUnits.find(({ element }) => element !== "i8");
  if (unit === undefined) return true;
  const code = trial(unit);
  try {
    await guarded(gpu, "reading matrix syntax", () => {
      gpu.device.createShaderModule({ code });
    });
    return true;
  } catch (error) {
    await gpu.assertAlive(error);
    return false;
  }
}

/** A shader as this device reads it; asked for once per device. */
export async function inItsSyntax(gpu: Gpu, code: string): Promise<string> {
  if (!code.includes("subgroupMatrixLoad")) return code;
  const known = readsNewer.get(gpu.device) ?? tryNewer(gpu);
  readsNewer.set(gpu.device, known);
  return (await known) ? code : olderMatrixSyntax(code);
}
