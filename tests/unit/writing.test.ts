// A page's text: one at a time, and nothing else on the GPU meanwhile.

import { expect, test, vi } from "vitest";
import { noText, type TextState } from "../../src/app/state";
import { startText } from "../../src/app/text_client";
import { keepWriting } from "../../src/app/writing";
import type { TextOrder, TextOutcome } from "../../src/text_result";

vi.mock("../../src/app/text_client", () => ({ startText: vi.fn() }));
vi.stubGlobal("window", { tokenroof: {} });

const order: TextOrder = { name: null, prompt: "a", dtypes: [], most: null, memory: 1, measure: null };
const ended: TextOutcome = { ok: false, fault: "run", problem: "cancelled" };

test("a measurement ends before a text begins, and so does the text before", async () => {
  const told: string[] = [];
  vi.mocked(startText).mockImplementation(() => {
    told.push("begun");
    let cancel = () => {};
    const outcome = new Promise<TextOutcome>((resolve) => {
      cancel = () => {
        told.push("cancelled");
        resolve(ended);
      };
    });
    return { outcome, cancel };
  });
  let text: TextState = noText;
  const writer = keepWriting(
    () => text,
    (changed) => {
      text = changed;
    },
    () => told.push("measurement ended"),
  );
  const first = writer.write(order, []);
  const second = writer.write(order, []);
  expect(told).toEqual(["measurement ended", "begun", "measurement ended", "cancelled", "begun"]);
  await first;
  // What is shown is the second's.
  expect(text.outcome).toBeUndefined();
  writer.cancel();
  await second;
  expect(text).toMatchObject({ progress: undefined, outcome: ended });
});
