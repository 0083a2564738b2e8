import { describe, expect, test } from "vitest";
import { countPerSubmit, paced, secondsSeen } from "../../src/engine/submits";

describe("how many go into a submit", () => {
  test.each([
    [2, 0.01, 20],
    [2, 0.02, 10],
    [3, 5, 1],
    // A coarse clock has seen nothing pass: as if it had taken all of a submit.
    [2, 0, 2],
  ])("%i in %f s: %i", (count, seconds, expected) => {
    expect(countPerSubmit(count, seconds)).toBe(expected);
  });

  test("what a clock has not seen is no time that something else could be divided by", () => {
    expect(secondsSeen(0.3)).toBe(0.3);
    expect(secondsSeen(0)).toBeGreaterThan(0);
  });
});

test("no more than two submits are under way", async () => {
  let [underWay, most, submitted] = [0, 0, 0];
  await paced(
    Array.from({ length: 6 }, () => () => {
      submitted++;
      most = Math.max(most, ++underWay);
    }),
    async () => {
      await new Promise((resolve) => setTimeout(resolve));
      underWay--;
    },
  );
  expect({ submitted, underWay, most }).toEqual({ submitted: 6, underWay: 0, most: 2 });
});
