// Which Vulkan driver is taken on machines of all kinds, each given as a listing of its files.

import { describe, expect, test } from "vitest";
import { gpuDevices } from "../../src/cli/gpu_devices";
import type { Machine } from "../../src/cli/machine";
import { chooseDrivers, manifestText, whyNoAdapter } from "../../src/cli/vulkan_driver";

interface Listing {
  /** Paths and what is in them. */
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Libraries that do not load, and why. */
  readonly broken?: Readonly<Record<string, string>>;
  /** Devices that this user may not open. */
  readonly closed?: readonly string[];
}

const machine = ({ files = {}, environment = {}, broken = {}, closed = [] }: Listing): Machine => ({
  environment,
  list: (folder) => [
    ...new Set(
      Object.keys(files)
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1).split("/")[0]!),
    ),
  ],
  read: (path) => files[path],
  mayOpen: (path) => !closed.includes(path),
  whyNotLoaded: (library) => broken[library],
});

const icd = (library_path: string) => JSON.stringify({ ICD: { library_path, api_version: "1.3.230" } });

const usual = "/usr/share/vulkan/icd.d";
const nvidiaGpu = { "/dev/nvidiactl": "", "/dev/nvidia3": "" };
const nvidia = { "/etc/vulkan/icd.d/nvidia_icd.json": icd("libGLX_nvidia.so.0") };
const renderNode = (vendor: string) => ({
  "/dev/dri/card0": "",
  "/dev/dri/renderD128": "",
  "/sys/class/drm/renderD128/device/vendor": `${vendor}\n`,
});
/** What mesa-vulkan-drivers installs, whatever GPU there is. */
const mesa = Object.fromEntries(
  ["intel_hasvk", "intel", "lvp", "nouveau", "radeon"].map((name) => [
    `${usual}/${name}_icd.x86_64.json`,
    icd(`/usr/lib/x86_64-linux-gnu/libvulkan_${name}.so`),
  ]),
);
const swiftShader = { "/usr/lib/chromium/vk_swiftshader_icd.json": icd("./libvk_swiftshader.so") };
const noX = {
  "libGLX_nvidia.so.0": "libX11.so.6: cannot open shared object file: No such file or directory",
};
const noNvidia = {
  "libGLX_nvidia.so.0": "libGLX_nvidia.so.0: cannot open shared object file: No such file or directory",
  "libEGL_nvidia.so.0": "libEGL_nvidia.so.0: cannot open shared object file: No such file or directory",
};

/** The names of the drivers taken, and the line or the problem. */
function chosen(listing: Listing) {
  const choice = chooseDrivers(machine(listing));
  return choice.ok
    ? { names: choice.drivers.map(({ name }) => name), says: choice.line, drivers: choice.drivers }
    : { names: [], says: choice.problem, drivers: [] };
}

describe("GPUs", () => {
  test("are NVIDIA's own devices and render nodes, with their maker", () => {
    const files = { ...nvidiaGpu, ...renderNode("0x1002"), "/dev/dri/renderD129": "" };
    expect(gpuDevices(machine({ files }))).toEqual([
      { path: "/dev/nvidia3", maker: "NVIDIA" },
      { path: "/dev/dri/renderD128", maker: "AMD" },
      { path: "/dev/dri/renderD129", maker: undefined },
    ]);
  });

  test("are not what only looks like one", () => {
    const files = { "/dev/nvidiactl": "", "/dev/nvidia-uvm": "", "/dev/dri/card0": "" };
    expect(gpuDevices(machine({ files }))).toEqual([]);
  });
});

describe("hardware goes before software", () => {
  test.each([
    ["NVIDIA's driver", { ...nvidiaGpu, ...nvidia, ...mesa }, ["NVIDIA", "NVK"]],
    ["radv for AMD", { ...renderNode("0x1002"), ...nvidia, ...mesa }, ["radv"]],
    ["anv for Intel", { ...renderNode("0x8086"), ...mesa, ...swiftShader }, ["anv", "hasvk"]],
    ["NVK for NVIDIA without its own driver", { ...renderNode("0x10de"), ...mesa }, ["NVK"]],
  ])("%s", (_, files, names) => {
    const broken = "/etc/vulkan/icd.d/nvidia_icd.json" in files ? {} : noNvidia;
    expect(chosen({ files, broken }).names).toEqual(names);
  });

  test("two makers' GPUs both get their drivers", () => {
    const files = { ...nvidiaGpu, ...renderNode("0x1002"), ...nvidia, ...mesa };
    expect(chosen({ files }).names).toEqual(["NVIDIA", "radv", "NVK"]);
  });

  test("a GPU of unknown make gets every driver that is not software", () => {
    const files = { ...renderNode("0x1af4"), ...mesa, [`${usual}/virtio.json`]: icd("libvulkan_virtio.so") };
    const { names } = chosen({ files, broken: noNvidia });
    expect(names).toEqual(["radv", "NVK", "anv", "hasvk", "libvulkan_virtio.so"]);
  });

  test("the line says which and where", () => {
    expect(chosen({ files: { ...nvidiaGpu, ...nvidia } }).says).toBe(
      "NVIDIA (/etc/vulkan/icd.d/nvidia_icd.json)",
    );
  });
});

describe("manifests", () => {
  test.each([
    "/usr/local/nvidia/share/vulkan/icd.d",
    "/usr/local/nvidia/vulkan/icd.d",
    "/run/opengl-driver/share/vulkan/icd.d",
    "/etc/xdg/vulkan/icd.d",
    "/home/me/.local/share/vulkan/icd.d",
    "/opt/drivers/vulkan/icd.d",
  ])("are found in %s", (folder) => {
    const manifest = `${folder}/nvidia_icd.json`;
    const files = { ...nvidiaGpu, [manifest]: icd("libGLX_nvidia.so.0") };
    const environment = { HOME: "/home/me", XDG_DATA_DIRS: "/opt/drivers:/usr/share" };
    expect(chosen({ files, environment }).drivers).toEqual([
      { name: "NVIDIA", manifest, library: "libGLX_nvidia.so.0" },
    ]);
  });

  test("name their library relative to themselves, absolutely, or for the linker to find", () => {
    const { drivers } = chosen({ files: { ...mesa, ...swiftShader } });
    expect(drivers.map(({ library }) => library)).toEqual([
      "/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so",
      "/usr/lib/chromium/libvk_swiftshader.so",
    ]);
  });

  test("that are broken, for 32 bits, or name a library once more are passed over", () => {
    const files = {
      ...renderNode("0x1002"),
      [`${usual}/a.json`]: "{",
      [`${usual}/b.json`]: '{"ICD": {}}',
      [`${usual}/radeon_icd.i686.json`]: icd("/usr/lib/i386-linux-gnu/libvulkan_radeon.so"),
      [`${usual}/radeon_32.json`]: JSON.stringify({
        ICD: { library_path: "/usr/lib32/libvulkan_radeon.so", library_arch: "32" },
      }),
      [`${usual}/README`]: icd("/usr/lib/libvulkan_radeon.so"),
      ...mesa,
      "/etc/vulkan/icd.d/mine.json": icd("/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so"),
    };
    expect(chosen({ files }).drivers).toEqual([
      {
        name: "radv",
        manifest: "/etc/vulkan/icd.d/mine.json",
        library: "/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so",
      },
    ]);
  });
});

describe("NVIDIA's driver in a container", () => {
  test("without the libraries of X is taken in the form that needs none", () => {
    const { drivers, says } = chosen({ files: { ...nvidiaGpu, ...nvidia }, broken: noX });
    expect(drivers).toEqual([{ name: "NVIDIA", manifest: undefined, library: "libEGL_nvidia.so.0" }]);
    expect(says).toBe(
      "NVIDIA (libEGL_nvidia.so.0); NVIDIA's usual one does not load: libX11.so.6: cannot open shared object file: No such file or directory",
    );
    expect(JSON.parse(manifestText("libEGL_nvidia.so.0")).ICD.library_path).toBe("libEGL_nvidia.so.0");
  });

  test("without a manifest is found by its library", () => {
    expect(chosen({ files: nvidiaGpu }).drivers).toEqual([
      { name: "NVIDIA", manifest: undefined, library: "libGLX_nvidia.so.0" },
    ]);
  });

  test("without its libraries is missed, and what to do is said", () => {
    const { names, says } = chosen({ files: { ...nvidiaGpu, ...nvidia }, broken: noNvidia });
    expect(names).toEqual([]);
    expect(says).toMatch(
      /^no Vulkan driver: none for NVIDIA at \/dev\/nvidia3 \(libGLX_nvidia.*\): install the Vulkan part.*NVIDIA_DRIVER_CAPABILITIES=all$/,
    );
  });

  test("that does not load beside another GPU's is told", () => {
    const files = { ...nvidiaGpu, ...nvidia, ...renderNode("0x8086"), ...mesa };
    const { names, says } = chosen({ files, broken: noNvidia });
    expect(names).toEqual(["NVK", "anv", "hasvk"]);
    expect(says).toContain("; NVIDIA's does not load: libGLX_nvidia.so.0: cannot open");
  });

  test("is not asked for where there is no such GPU", () => {
    const never = (library: string): never => {
      throw new Error(`${library} was loaded`);
    };
    const files = { ...renderNode("0x1002"), ...nvidia, ...mesa };
    const choice = chooseDrivers({ ...machine({ files }), whyNotLoaded: never });
    expect(choice.ok && choice.drivers.map(({ name }) => name)).toEqual(["radv"]);
  });
});

describe("without a GPU", () => {
  test("software is taken, lavapipe first, and called what it is", () => {
    const { names, says } = chosen({ files: { ...mesa, ...nvidia, ...swiftShader } });
    expect(names).toEqual(["lavapipe", "SwiftShader"]);
    expect(says).toMatch(/, software on the CPU; no GPU is visible$/);
  });

  test("a GPU without a driver is told where software is taken in its place", () => {
    const { names, says } = chosen({ files: { ...nvidiaGpu, ...swiftShader }, broken: noNvidia });
    expect(names).toEqual(["SwiftShader"]);
    expect(says).toMatch(/software on the CPU; there is none for NVIDIA at \/dev\/nvidia3 \(.*\): install/);
  });

  test("and without software there is a line that says what to do", () => {
    expect(chosen({ files: nvidia }).says).toMatch(/^no Vulkan driver: no GPU is visible .*--gpus all/);
    expect(chosen({ files: renderNode("0x1002") }).says).toMatch(/AMD at .*: install Mesa's/);
    expect(chosen({ files: renderNode("0x1af4") }).says).toMatch(/the GPU at .*: install Mesa's/);
  });
});

describe("what the user names is taken", () => {
  const files = { ...nvidiaGpu, ...nvidia, ...mesa };
  const lavapipe = `${usual}/lvp_icd.x86_64.json`;

  test.each([
    [{ VK_DRIVER_FILES: lavapipe }, ["lavapipe"], `lavapipe (${lavapipe}), from VK_DRIVER_FILES`],
    [{ VK_ICD_FILENAMES: lavapipe }, ["lavapipe"], `lavapipe (${lavapipe}), from VK_ICD_FILENAMES`],
    [{ VK_DRIVER_FILES: `/none.json:${lavapipe}` }, ["lavapipe"], "from VK_DRIVER_FILES"],
    [{ VK_DRIVER_FILES: "/etc/vulkan/icd.d" }, ["NVIDIA"], "from VK_DRIVER_FILES"],
    [{ VK_DRIVER_FILES: "" }, ["NVIDIA", "NVK"], "nvidia_icd.json"],
    [
      { VK_DRIVER_FILES: "/none.json" },
      [],
      "VK_DRIVER_FILES=/none.json names no Vulkan driver's manifest: give the path of one",
    ],
  ])("%j", (environment, names, line) => {
    const choice = chosen({ files, environment });
    expect(choice.names).toEqual(names);
    expect(choice.says).toContain(line);
  });
});

describe("no adapter in spite of a driver", () => {
  const why = (listing: Listing) => {
    const given = machine(listing);
    const choice = chooseDrivers(given);
    return whyNoAdapter(given, choice.ok ? choice.drivers : []);
  };
  const amd = { ...renderNode("0x1002"), ...mesa };
  const library = "/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so";

  test.each([
    [
      "the loader is missing",
      { files: amd, broken: { "libvulkan.so.1": "no such file" } },
      "install libvulkan1",
    ],
    [
      "a driver's own libraries are missing",
      { files: amd, broken: { [library]: "libLLVM.so.19: cannot open" } },
      "radv does not load: libLLVM.so.19: cannot open",
    ],
    [
      "the device is closed",
      { files: amd, closed: ["/dev/dri/renderD128"] },
      "may not open /dev/dri/renderD128",
    ],
    [
      "there is no device",
      { files: mesa, environment: { VK_DRIVER_FILES: `${usual}/radeon_icd.x86_64.json` } },
      "no GPU is visible",
    ],
    ["the driver is too old", { files: mesa }, "a newer driver may"],
  ])("%s", (_, listing, line) => {
    expect(why(listing)).toContain(line);
  });
});
