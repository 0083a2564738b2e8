// The self-test on simulated GPUs: does it tell good instruments from bad ones?

import { expect, test } from "vitest";
import { judgeSelfTest } from "../../src/analysis/self_test";
import { selfTest } from "../../src/engine/self_test";
import { selfTestTable } from "../../src/report/self_test_report";
import { costs } from "../simulation/bench";
import { simulate } from "../simulation/gpu";
import { type Hardware, quiet } from "../simulation/hardware";

const tested = (hardware: Partial<Hardware>) => {
  const { host, drive } = simulate({ ...quiet, noise: 0.005, cost: costs(1e-4), ...hardware });
  return drive(selfTest(host, () => {}));
};

test("on a quiet GPU finds the planted tenth, and no difference where there is none", async () => {
  const findings = judgeSelfTest(await tested({}));
  expect(findings.sound).toBe(true);
  expect(findings.planted.value).toBeCloseTo(1.1, 1);
  expect(findings.planted.low).toBeGreaterThan(1.05);
  expect(findings.resolves).toBeLessThan(0.04);
});

test("on a GPU whose noise hides a tenth says so", async () => {
  const test = await tested({ noise: 0.4 });
  expect(judgeSelfTest(test)).toMatchObject({ sound: false });
  expect(selfTestTable(test).note).toContain("Do not trust small differences");
});

test("on a GPU that lies about time by a tenth from run to run says so", async () => {
  // Slower and slower: the same kernel is not the same any more.
  const findings = judgeSelfTest(await tested({ slowness: (time) => 1 + 0.03 * time }));
  expect(findings.sound).toBe(false);
});
