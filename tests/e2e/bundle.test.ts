// The bundle for GPU servers: built, unpacked, and run on this machine without an environment and on a bare one, a
// root folder that has glibc, a shell and a Vulkan driver, and no network.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { thisMachine } from "../../src/cli/machine";
import { parseResult } from "../../src/result";

const LINKER = "/lib64/ld-linux-x86-64.so.2";

/** SwiftShader, which every Chromium brings: the only software driver that needs nothing but glibc. */
const swiftShader = ["/usr/lib/chromium", dirname(chromium.executablePath())]
  .map((folder) => join(folder, "vk_swiftshader_icd.json"))
  .find((path) => existsSync(path));

function missing(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "it is for Linux on x64";
  try {
    createRequire(import.meta.url).resolve("webgpu");
  } catch {
    return "npm's webgpu is not installed";
  }
  if (swiftShader === undefined) return "there is no Chromium, whose SwiftShader it is tested with";
  if (thisMachine.whyNotLoaded("libvulkan.so.1") !== undefined) return "there is no libvulkan1 to bundle";
  return undefined;
}
const reason = missing();

/** Why there is no bare machine: containers may forbid what makes one. */
const noBareMachine =
  spawnSync("unshare", ["--map-root-user", "--net", "--root=/", "true"]).status === 0
    ? undefined
    : "unshare is not permitted here";

const because = (why: string | undefined) => (why === undefined ? "" : ` (not tested: ${why})`);

describe.skipIf(reason !== undefined)(`the bundle${because(reason)}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "tokenroof-bundle-"));
  const root = join(folder, "bare");
  const result = join(folder, "r.json");
  const link = join(folder, "link");
  let archive = "";
  let bundle = "";

  const outcome = ({ status, stdout, stderr }: ReturnType<typeof spawnSync>) => ({
    status,
    stdout: String(stdout),
    stderr: String(stderr),
  });
  /** Runs it, by way of a link, with nothing in the environment but what is given: no PATH, no HOME. */
  const here = (environment: Record<string, string>, ...words: string[]) =>
    outcome(spawnSync(link, words, { env: environment, cwd: folder }));
  /** Runs it on the bare machine. */
  const onBareMachine = (...words: string[]) => {
    const launcher = join(bundle, "tokenroof").slice(root.length);
    const unshare = ["--map-root-user", "--net", `--root=${root}`, "--wd=/", launcher];
    return outcome(spawnSync("unshare", [...unshare, ...words], { env: { PATH: process.env.PATH } }));
  };

  /** Makes the bare machine: the shell, glibc, and what of glibc the shell and Node need. */
  function furnish() {
    const needed = ["/bin/sh", process.execPath].flatMap((program) => {
      const { stdout } = spawnSync(LINKER, ["--list", program], { encoding: "utf8" });
      return [...stdout.matchAll(/=> (\/\S+)/g)].map(([, library = ""]) => library);
    });
    for (const file of ["/bin/sh", LINKER, ...needed.filter((library) => !/libstdc|libgcc/.test(library))]) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      copyFileSync(file, join(root, file));
    }
    mkdirSync(join(root, "tmp"));
  }

  beforeAll(() => {
    const words = ["bundle/build.mjs", "--out", folder, "--level", "1"];
    const { status, stdout, stderr } = outcome(spawnSync(process.execPath, words));
    expect(stderr).toBe("");
    expect(status).toBe(0);
    archive = /^archive +(\S+), [\d.]+ MB$/m.exec(stdout)![1]!;
    furnish();
    // A folder whose name has a space in it.
    const place = join(root, "opt/some folder");
    mkdirSync(place, { recursive: true });
    expect(spawnSync("tar", ["-xf", archive, "-C", place]).status).toBe(0);
    const [name = ""] = readdirSync(place);
    bundle = join(place, name);
    symlinkSync(join(bundle, "tokenroof"), link);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test("is smaller than 60 MB, though packed in haste, and has the licence of every part", () => {
    expect(statSync(archive).size).toBeLessThan(60e6);
    const licences = readdirSync(join(bundle, "licences"));
    const parts = readFileSync(join(bundle, "licences/PARTS.txt"), "utf8").match(/^\S+/gm)!;
    expect(parts).toEqual(
      expect.arrayContaining(["node", "webgpu", "libvulkan1", "valibot", "@huggingface/tokenizers"]),
    );
    for (const part of parts.filter((name) => name !== "node")) {
      const file = part.replaceAll("/", "_");
      expect(
        licences.filter((name) => name.startsWith(`${file}-`)),
        part,
      ).not.toEqual([]);
    }
  });

  test("doctor tells driver, adapter, features and limits, without a PATH", () => {
    const { status, stdout } = here({ VK_DRIVER_FILES: swiftShader! }, "doctor");
    expect(stdout).toContain(`driver     SwiftShader (${swiftShader}), from VK_DRIVER_FILES\n`);
    expect(stdout).toMatch(/^adapter +swiftshader.*\n +a CPU/m);
    expect(stdout).toMatch(/^features +.*timestamp-query/m);
    expect(stdout).toMatch(/^limits +binding [\d.]+ [MG]iB, \d+ threads/m);
    expect(stdout).toContain("no shader-f16: f16 cells will be skipped");
    expect(stdout).toMatch(/^subgroups +of 4 threads$/m);
    expect(stdout).toMatch(/^matrices +no units for them$/m);
    expect(stdout).toMatch(/^self-test +step of the clock/m);
    expect(status).toBe(0);
  });

  test.skipIf(noBareMachine !== undefined)(
    `runs on a bare machine whose NVIDIA driver has no manifest and lacks X${because(noBareMachine)}`,
    () => {
      // The launcher finds the folder, the command line the form of the driver that loads.
      const libraries = join(root, "usr/local/nvidia/lib64");
      mkdirSync(libraries, { recursive: true });
      copyFileSync(
        join(dirname(swiftShader!), "libvk_swiftshader.so"),
        join(libraries, "libEGL_nvidia.so.0"),
      );
      mkdirSync(join(root, "dev"));
      writeFileSync(join(root, "dev/nvidia0"), "");
      const words = ["preset=smoke", "dtype=f32", "kernel=add:64x64,matvec:1x256x64", "memory=16MiB"];
      const { status, stdout, stderr } = onBareMachine("run", ...words, "--out", "/tmp/r.json");
      expect(stderr).toMatch(
        /^driver: NVIDIA \(libEGL_nvidia\.so\.0\); NVIDIA's usual one does not load: libGLX_nvidia\.so\.0: cannot open/,
      );
      expect(stdout).toContain("add 64x64 f32");
      expect(status).toBe(0);
      const parsed = parseResult(JSON.parse(readFileSync(join(root, "tmp/r.json"), "utf8")));
      expect(parsed.ok && parsed.result.completion.status).toBe("complete");
      expect(parsed.ok && parsed.result.host.kind).toBe("node");
      // Nothing is left behind but the result.
      expect(readdirSync(join(root, "tmp"))).toEqual(["r.json"]);
      rmSync(join(root, "dev"), { recursive: true });
    },
  );

  test.skipIf(noBareMachine !== undefined)(
    `says in one line what to do where there is no driver${because(noBareMachine)}`,
    () => {
      const { status, stdout, stderr } = onBareMachine("run", "preset=smoke");
      expect(stderr).toMatch(/^tokenroof: no Vulkan driver: no GPU is visible .*--gpus all.*\n$/);
      expect(stdout).toBe("");
      expect(status).toBe(3);
    },
  );

  test.skipIf(noBareMachine !== undefined)(
    `says in one line what a machine lacks that is too bare${because(noBareMachine)}`,
    () => {
      const library = join(bundle, "lib/libstdc++.so.6");
      const kept = join(folder, "libstdc++.so.6");
      spawnSync("mv", [library, kept]);
      const { status, stderr } = onBareMachine("chips");
      spawnSync("mv", [kept, library]);
      expect(stderr).toMatch(/^tokenroof: this bundle needs glibc 2\.\d+ and .*: libstdc\+\+\.so\.6.*\n$/);
      expect(status).toBe(3);
    },
  );

  test("a driver that is not there ends with status 3 and one line", () => {
    const { status, stderr } = here({ VK_DRIVER_FILES: "/none.json" }, "run", "preset=smoke");
    expect(stderr).toMatch(
      /^tokenroof: VK_DRIVER_FILES=\/none\.json names no Vulkan driver's manifest: .*\n$/,
    );
    expect(status).toBe(3);
  });

  test.each([
    [["run", "--browser", "chromium"], "--browser chromium"],
    [["doctor", "--host", "browser"], "--host browser"],
    [["serve"], "serve"],
    [["peers"], "peers"],
  ])("%j needs a browser: status 3 and one line", (words, what) => {
    const { status, stdout, stderr } = here({}, ...words);
    expect(stderr).toMatch(new RegExp(`^tokenroof: ${what}: this bundle drives no browser, .*\\n$`));
    expect(stdout).toBe("");
    expect(status).toBe(3);
  });

  test("Ctrl-C keeps what was finished", async () => {
    const out = join(folder, "cancelled.json");
    const plan = ["preset=smoke", "dtype=f32", "kernel=add:64x64,copy:1024", "memory=16MiB"];
    const words = ["run", ...plan, "--out", out];
    const child = spawn(link, words, { env: { VK_DRIVER_FILES: swiftShader! } });
    child.stdout.resume();
    for await (const line of createInterface({ input: child.stderr })) {
      // The first roof is measured by then.
      if (line.startsWith("[2/")) child.kill("SIGINT");
    }
    expect(child.exitCode ?? (await once(child, "exit"))[0]).toBe(1);
    const parsed = parseResult(JSON.parse(readFileSync(out, "utf8")));
    expect(parsed.ok && parsed.result.completion).toEqual({ status: "partial", reason: "cancelled" });
    expect(parsed.ok && parsed.result.outcomes).toHaveLength(1);
  });

  test("the commands that need no GPU work", () => {
    const fixture = join(import.meta.dirname, "../fixtures/result-2.json");
    copyFileSync(fixture, result);
    expect(here({}, "report", result).stdout).toMatch(/tokens\/s/);
    const printed = here({}, "link", result, "--page", "https://example.org/");
    expect(printed.stdout).toMatch(/^https:\/\/example\.org\/#r=/);
    expect(here({}, "compare", result, printed.stdout.trim()).stdout).toContain("# B against A");
    expect(here({}, "chips", "h100-sxm").stdout).toContain("989 TFLOP/s");
    expect(here({}, "--help").stdout).toContain("This bundle drives no browser");
  });
});
