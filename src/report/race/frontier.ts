// Throughput against speed per user: the batches 1, 2, 4, … of each picked chip.

import { batches, type FrontierPoint, frontier } from "../../analysis/frontier";
import { monotone } from "../../analysis/interval";
import { significant } from "../../units";
import type { Cell, Lines, Table } from "../report_types";
import { perUser } from "./compare";
import { ask, chipsOf, modelOf, pickedOf } from "./contestant";
import type { RaceEntry } from "./entry";
import type { Question } from "./question";
import { behind, figure, unknown } from "./where_from";

/** An entry at every batch that its chips hold. */
interface Curve {
  readonly entry: RaceEntry;
  readonly chips: number;
  readonly points: readonly FrontierPoint[];
  readonly pareto: readonly FrontierPoint[];
  /** Why the first batch that was not predicted was not. */
  readonly end: string | undefined;
  readonly where: Omit<Cell, "text"> | undefined;
}

/** As many chips as the question's batch takes work at every batch; rates are per chip. */
function curveOf(entry: RaceEntry, question: Question): Curve {
  const model = modelOf(question);
  const chips = chipsOf(entry, question, model);
  let end: string | undefined;
  let where: Omit<Cell, "text"> | undefined;
  const { points, pareto } = frontier(batches, (batch) => {
    const predicted = ask(entry, { ...question, batch }, model, chips);
    if (predicted.status === "not-predicted") {
      end ??= predicted.reason;
      return undefined;
    }
    where ??= behind(predicted).both;
    const tokensPerSecond = monotone((up) => up(predicted.decode.tokensPerSecond) / chips);
    return { tpot: predicted.tpot, tokensPerSecond };
  });
  return { entry, chips, points, pareto, end, where };
}

const curveName = ({ entry, chips }: Curve) => (chips === 1 ? entry.name : `${chips} × ${entry.name}`);

function rows(curve: Curve): Cell[][] {
  const name = { text: curveName(curve) };
  const { points, pareto, where, end } = curve;
  if (where === undefined) return [[name, unknown(end ?? "not predicted")]];
  return points.map(({ batch, tpot, tokensPerSecond }) => [
    name,
    { text: String(batch), title: end === undefined ? "" : `the largest: ${end}` },
    figure(perUser(tpot), where),
    figure(tokensPerSecond, where),
    { text: pareto.some((point) => point.batch === batch) ? "yes" : "no" },
  ]);
}

/** The curves of the picked chips and the table beneath. Writing only: what reading prompts takes is in Compare's "served". */
export function raceFrontier(
  entries: readonly RaceEntry[],
  question: Question,
): { readonly chart: Lines; readonly table: Table } {
  const curves = pickedOf(entries, question).map((entry) => curveOf(entry, question));
  const title = `Throughput against speed per user: ${question.model} in ${question.weights}, batches from 1 up`;
  const [x, y] = ["tokens/s per user", "tokens/s per chip"];
  return {
    chart: {
      kind: "lines",
      id: "race frontier",
      title,
      x,
      y,
      lines: curves
        .filter(({ pareto }) => pareto.length > 0)
        .map((curve) => ({
          name: curveName(curve),
          own: curve.entry.origin === "measured",
          points: curve.pareto.map(({ batch, tpot, tokensPerSecond }) => {
            const at = { x: 1 / tpot.value, y: tokensPerSecond.value };
            return { ...at, label: `batch ${batch}: ${significant(at.x)} ${x}, ${significant(at.y)} ${y}` };
          }),
        })),
    },
    table: {
      title,
      note:
        "While writing, at the answer's mean context; each chip's curve ends where its memory is full or at batch 1,024. A " +
        "batch is on the frontier where no other gives more to both each user and all of them.",
      columns: ["chips", "batch", x, y, "on the frontier"],
      rows: curves.flatMap(rows),
    },
  };
}
