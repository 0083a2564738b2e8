import type { Result } from "../result";

/** Browsers by the names in their user agents; those that also carry another's name come first. */
const BROWSERS = [
  ["Edge", /Edg\/(\d+)/],
  ["Firefox", /Firefox\/(\d+)/],
  ["Chrome", /Chrome\/(\d+)/],
  ["Safari", /Version\/(\d+).*Safari/],
] as const;

function hostName({ kind, agent }: Result["host"]): string {
  if (kind === "node") return agent;
  for (const [name, pattern] of BROWSERS) {
    const version = pattern.exec(agent)?.[1];
    if (version !== undefined) return `${name} ${version}`;
  }
  return "";
}

/** What to call the device: the most telling of the names it gives itself. Browsers may keep all of them back. */
export function deviceName({ device, host }: Pick<Result, "device" | "host">): string {
  const { vendor, architecture, description, software } = device;
  const given = description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed adapter";
  const remarks = [hostName(host), ...(software === null ? [] : ["software adapter: a CPU"])].filter(Boolean);
  return `${given}${remarks.length === 0 ? "" : ` (${remarks.join(", ")})`}`.replace(/\s+/g, " ").trim();
}

/** A short name for charts, where the device stands beside others. */
export const ownName = ({ device }: Result): string =>
  device.software === null ? "This device" : "This device (a CPU)";
