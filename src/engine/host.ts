import type { HostInfo } from "../result";

/** Everything that differs between a browser's worker and Node. */
export interface Host {
  readonly gpu: GPU;
  readonly info: HostInfo;
}
