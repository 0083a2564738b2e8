// The command line without a browser: the engine on Dawn in Node, on an adapter that has f16.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseResult } from "../../src/result";
import { onLavapipe } from "../adapters/rig";
import { commandLine } from "./page";

const folder = mkdtempSync(join(tmpdir(), "tokenroof-"));
afterAll(() => rmSync(folder, { recursive: true }));

const node = onLavapipe("node");

describe.skipIf(node === undefined)("on lavapipe", () => {
  test("run --host node measures f16", () => {
    const out = join(folder, "result.json");
    const words = ["preset=smoke", "memory=16MiB", "dtype=f16", "kernel=matvec:1x64x256"];
    const { status, stderr } = spawnSync(
      node!,
      [commandLine, "run", ...words, "--host", "node", "--out", out],
      { encoding: "utf8" },
    );
    expect(status, stderr).toBe(0);
    const parsed = parseResult(JSON.parse(readFileSync(out, "utf8")));
    if (!parsed.ok) throw new Error(parsed.problem);
    const { device, host, completion, outcomes } = parsed.result;
    expect(host.kind).toBe("node");
    expect(device.description).toMatch(/^llvmpipe/);
    expect(completion).toEqual({ status: "complete" });
    expect(outcomes.map(({ call, dtype, status }) => [call.kernel, dtype, status])).toContainEqual([
      "matvec",
      "f16",
      "measured",
    ]);
  });
});
