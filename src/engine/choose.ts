// How the kernels of a run are computed: as this run has found out already, as was known beforehand, or after a search.

import { type AnyCall, kernelOf } from "../kernels";
import { type Choice, choiceName, isChoice } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import type { Result, TuningRecord } from "../result";
import { type KnownTuning, reasonAgainst } from "../tuning_records";
import { efforts } from "./effort";
import { unfit } from "./pipeline";
import type { Session } from "./session";
import { candidates, tune } from "./tune";

/** A record whose choice can be used. */
type Chosen = TuningRecord & { readonly choice: Choice };

export interface Chooser {
  /**
   * Does `use` with the choice that is best for a call. A choice that was known beforehand and does not work here
   * gives way to a search, and `use` is done once more. Throws what `use` throws.
   */
  withChoice<T>(
    session: Session,
    call: AnyCall,
    dtype: DType,
    use: (choice: Choice) => Promise<T>,
  ): Promise<T>;
}

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Chooses for a run, whose result gets a record of every choice; `note` is told of what is known and does not work. */
export function createChooser(
  result: Result,
  known: readonly KnownTuning[],
  note: (says: string) => void,
): Chooser {
  let trusted = known;

  return {
    async withChoice(session, call, dtype, use) {
      const { gpu, timer } = session;
      const kernel = kernelOf(call.kernel);
      const shapeClass = kernel.shapeClass(call.shape);
      const isOf = (each: TuningRecord) =>
        each.kernel === call.kernel && each.dtype === dtype && each.shapeClass === shapeClass;
      /** Why a choice cannot be used, or undefined. */
      const against = (choice: Choice) =>
        isChoice(kernel, choice)
          ? unfit(gpu, kernel, choice, call.shape, dtype)
          : "this version has no such variant";
      const complain = (picked: string, why: string) =>
        note(`${call.kernel} ${dtype} was searched for again: what was known, ${picked}, fails here: ${why}`);

      const recorded = (): Chosen | undefined =>
        result.tunings.find(
          (each): each is Chosen => isOf(each) && each.choice !== null && against(each.choice) === undefined,
        );

      /** Takes up what was known beforehand, where it is for this device. */
      const reuse = (): Chosen | undefined => {
        const found = trusted.find((each) => isOf(each) && reasonAgainst(each, result) === undefined);
        if (found === undefined) return undefined;
        const { choice, tried, picked } = found;
        trusted = trusted.filter((each) => each !== found);
        const why = against(choice);
        if (why !== undefined) {
          complain(picked, why);
          return undefined;
        }
        const name = choiceName(kernel, choice);
        const of = { kernel: call.kernel, dtype, shapeClass };
        const record = { ...of, tried, picked: name, choice, seconds: 0, reused: true };
        result.tunings.push(record);
        return record;
      };

      const search = async (failed: Readonly<Record<string, null>> = {}): Promise<Choice> => {
        const effort = efforts[result.plan.preset];
        const weights = await session.weightsOf(dtype);
        const from = candidates(gpu, call, dtype, effort);
        const { choice, record } = await tune(gpu, timer, weights, call, dtype, {
          from,
          seconds: effort.tuningSeconds,
        });
        result.tunings.push({ ...record, tried: { ...failed, ...record.tried } });
        return choice;
      };

      const chosen = recorded() ?? reuse();
      if (chosen === undefined) return use(await search());
      try {
        return await use(chosen.choice);
      } catch (error) {
        if (!chosen.reused) throw error;
        result.tunings = result.tunings.filter((each) => each !== chosen);
        await gpu.assertAlive(error);
        complain(chosen.picked, message(error));
        return use(await search({ [chosen.picked]: null }));
      }
    },
  };
}
