// One GPUDevice for everybody on the page. Runtimes that ask for a device of their own get this one too.

/** Opens a device with everything that the adapter offers, and has every later request answered with it. */
export async function shareDevice(gpu: GPU): Promise<GPUDevice> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("WebGPU is here, but it has no adapter for this machine");
  const requiredLimits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value: unknown = Reflect.get(adapter.limits, name);
    if (typeof value === "number") requiredLimits[name] = value;
  }
  const requiredFeatures = [...adapter.features] as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  // jax-js opens its own device and takes no other; on two devices two queues would share the GPU.
  GPUAdapter.prototype.requestDevice = async () => device;
  return device;
}
