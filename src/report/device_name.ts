import type { Result } from "../result";

/** What to call the device: the most telling of the names it gives itself. Browsers may keep all of them back. */
export function deviceName({ device, host }: Result): string {
  const { vendor, architecture, description } = device;
  const given = description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed adapter";
  const browser = /(Firefox|Edg|Chrome)\/(\d+)/.exec(host.agent);
  const where =
    host.kind === "node"
      ? host.agent
      : browser === null
        ? ""
        : `${browser[1] === "Edg" ? "Edge" : browser[1]} ${browser[2]}`;
  const software = device.software === null ? "" : ", software adapter: a CPU";
  return `${given}${where === "" ? "" : ` (${where}${software})`}`;
}

/** A short name for charts, where the device stands beside others. */
export const ownName = ({ device }: Result): string =>
  device.software === null ? "This device" : "This device (a CPU)";
