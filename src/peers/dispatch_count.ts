// Counts what really goes to the GPU. A runtime that is lazy, or finds an answer that it has already, would be timed doing nothing.

let count: number | undefined;

/** Dispatches on this page since the first call. */
export function dispatchCount(): number {
  if (count === undefined) watch();
  return count ?? 0;
}

function watch(): void {
  count = 0;
  const { prototype } = GPUComputePassEncoder;
  const { dispatchWorkgroups, dispatchWorkgroupsIndirect } = prototype;
  prototype.dispatchWorkgroups = function (...given) {
    count = (count ?? 0) + 1;
    return dispatchWorkgroups.apply(this, given);
  };
  prototype.dispatchWorkgroupsIndirect = function (...given) {
    count = (count ?? 0) + 1;
    return dispatchWorkgroupsIndirect.apply(this, given);
  };
}
