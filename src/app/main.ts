import { parsePlan } from "../plan";
import { startRun } from "./engine_client";

Object.assign(window, {
  tokenroof: {
    run: async (pairs: [string, string][]) => {
      const p = parsePlan(pairs);
      if (!p.ok) throw new Error(p.problem);
      return startRun(p.plan, (x) =>
        console.log(x.elapsedSeconds.toFixed(1), x.etaSeconds?.toFixed(0), x.label),
      ).outcome;
    },
  },
});
