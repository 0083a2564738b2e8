import { attentionFaults } from "./attention";
import { cacheFaults } from "./cache";
import { expertFaults } from "./experts";
import { type Fault, faultsOf } from "./fault";
import { matmulFaults } from "./matmul";
import { matrixFaults } from "./matrix";
import { matvecFaults } from "./matvec";
import { probeFaults } from "./probes";
import { trainingFaults } from "./training";
import { transformerFaults } from "./transformer";

export { type Fault, plant, removeFaults, suffers } from "./fault";

export const faults: readonly Fault[] = faultsOf([
  ...matmulFaults,
  ...matrixFaults,
  ...matvecFaults,
  ...attentionFaults,
  ...transformerFaults,
  ...expertFaults,
  ...cacheFaults,
  ...trainingFaults,
  ...probeFaults,
]);
