// Why it cannot run here, in words, and what to do about it.

export type Problem = "insecure" | "no WebGPU" | "no adapter" | "software adapter" | "not isolated";

export interface Advice {
  readonly says: string;
  readonly steps: readonly string[];
}

const LINUX_FLAGS =
  "Linux: open chrome://flags, turn on #enable-vulkan and #enable-unsafe-webgpu, relaunch, and see whether vulkaninfo lists the GPU";

const noWebGpu = (agent: string): string[] => {
  if (/Firefox/i.test(agent)) {
    return [
      "Firefox has WebGPU on Windows since 141 and on Macs with Apple silicon since 145: update it",
      "elsewhere open about:config and set dom.webgpu.enabled to true, or use Chrome or Edge",
    ];
  }
  if (/Safari/i.test(agent) && !/Chrom/i.test(agent)) {
    return [
      "Safari has WebGPU from macOS, iOS and iPadOS 26 on: update the system (every browser on iOS is Safari inside)",
    ];
  }
  return [
    "Chrome and Edge have WebGPU since 113 (Windows, macOS, ChromeOS) and 121 (Android): update the browser",
    "turn on hardware acceleration in the browser's settings, then look at chrome://gpu",
    LINUX_FLAGS,
  ];
};

/** How to get at the GPU that the machine has. */
const hardware = (agent: string): string[] => [
  "turn on hardware acceleration in the browser's settings and restart it",
  "update the graphics driver; remote desktops and virtual machines often hide the GPU",
  ...(/Firefox/i.test(agent)
    ? ["Firefox: about:support says under Graphics why WebGPU or the GPU is blocked"]
    : /Chrom|Edg/i.test(agent)
      ? [LINUX_FLAGS]
      : []),
];

/** What to say about a problem, and the steps to take, in the order to try them. */
export function adviceFor({ problem, agent }: { problem: Problem; agent: string }): Advice {
  switch (problem) {
    case "insecure":
      return {
        says: "WebGPU needs a secure page: HTTPS, or localhost.",
        steps: ["open the page's https:// address"],
      };
    case "no WebGPU":
      return { says: "This browser offers no WebGPU.", steps: noWebGpu(agent) };
    case "no adapter":
      return { says: "WebGPU is here, but it finds no adapter to run on.", steps: hardware(agent) };
    case "software adapter":
      return {
        says: "The adapter is software: it would measure this machine's CPU, not a GPU.",
        steps: hardware(agent),
      };
    case "not isolated":
      return {
        says: "The page is not cross-origin isolated: its clock is coarse.",
        steps: [
          "serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
        ],
      };
  }
}
