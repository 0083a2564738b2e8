// The page of the chips: state, and what changes it. Nothing here touches a GPU.

import { render } from "lit";
import { chips } from "../../chips";
import { csv } from "../../report/csv";
import { json } from "../../report/json";
import { decodeLink } from "../../report/link";
import { chipEntry, measuredEntry, type RaceEntry } from "../../report/race/entry";
import {
  defaultQuestion,
  parseQuestion,
  type Question,
  questionPairs,
  type SortKey,
  withKnown,
} from "../../report/race/question";
import { raceReport, raceView, viewNames } from "../../report/race/views";
import { downloadText } from "../download";
import { keepChips, keptChips, MOST_CHIPS, readChip } from "./added_chips";
import type { AddedChips, ChipsActions, ChipsState } from "./state";
import { chipsPage } from "./views/page";

const root = document.querySelector<HTMLElement>("#app");
if (root === null) throw new Error("chips.html has no #app");

const references = chips.map((chip) => chipEntry(chip));
const referenceIds = references.map(({ id }) => id);

let state: ChipsState = {
  question: defaultQuestion,
  problem: undefined,
  entries: references,
  views: [],
  added: { chips: keptChips(referenceIds), draft: "", said: "", problem: undefined, kept: true },
  measured: undefined,
};

const idsOf = (entries: readonly RaceEntry[]) => entries.map(({ id }) => id);

/** Changes the state; what is asked of whom is answered afresh only where either has changed. */
function update(changes: Partial<ChipsState>): void {
  const before = state;
  const { measured, added } = { ...before, ...changes };
  const isOther = measured !== before.measured || added.chips !== before.added.chips;
  const entries =
    isOther || before.views.length === 0
      ? [
          ...(measured === undefined ? [] : [measured]),
          ...added.chips.map((chip) => chipEntry(chip, "added")),
          ...references,
        ]
      : before.entries;
  const asked = changes.question ?? before.question;
  const question = entries === before.entries ? asked : withKnown(asked, idsOf(entries));
  const isSame = entries === before.entries && question === before.question && before.views.length > 0;
  const views = isSame ? before.views : viewNames.map((name) => raceView(name, entries, question));
  state = { ...before, ...changes, entries, question, views };
  render(chipsPage(state, actions), root!);
}

/** The page's address for a question: what differs from the defaults, and the result that it shows. */
function address(question: Question): string {
  const pairs = questionPairs(question).map(
    ([key, value]) => `${key}=${value.split(",").map(encodeURIComponent).join(",")}`,
  );
  return `${location.pathname}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}${location.hash}`;
}

function ask(pairs: Iterable<readonly [string, string]>): void {
  const outcome = parseQuestion(pairs, idsOf(state.entries));
  // A refused setting falls back to what it was: the message says why, and the question is still a good one.
  if (!outcome.ok) {
    update({ problem: outcome.problem });
    return;
  }
  history.replaceState(null, "", address(outcome.question));
  update({ question: outcome.question, problem: undefined });
}

/** Words that a scenario stands for. */
const requestWords = ["prompt", "cached", "output"];
/** Columns whose greatest figures are looked for first. */
const greatestFirst: readonly SortKey[] = ["prefill", "decode", "throughput", "watt"];

function changeAdded(changes: Partial<AddedChips>): void {
  const added = { ...state.added, ...changes };
  const isOther = changes.chips !== undefined;
  update({ added: isOther ? { ...added, kept: keepChips(added.chips) } : added });
  if (isOther) history.replaceState(null, "", address(state.question));
}

function add(text: string): void {
  const { chips: before } = state.added;
  const outcome = readChip(text, referenceIds);
  const refuse = (problem: string) => changeAdded({ draft: text, problem, said: "" });
  if (!outcome.ok) {
    refuse(outcome.problem);
    return;
  }
  const { chip } = outcome;
  const others = before.filter(({ id }) => id !== chip.id);
  if (others.length >= MOST_CHIPS) {
    refuse(`${MOST_CHIPS} chips are here already: remove one`);
    return;
  }
  changeAdded({
    chips: [...others, chip],
    draft: "",
    problem: undefined,
    said: `${chip.name} is ${others.length < before.length ? "replaced" : "added"}.`,
  });
}

const actions: ChipsActions = {
  set(changes) {
    const pairs = new Map(questionPairs(state.question));
    if (changes.scenario !== undefined) for (const word of requestWords) pairs.delete(word);
    // Lengths of one's own take the place of the scenario that had them.
    else if (requestWords.some((word) => changes[word] !== undefined)) {
      pairs.delete("scenario");
      const { prompt, cached, output } = state.question;
      for (const [word, value] of Object.entries({ prompt, cached, output })) pairs.set(word, String(value));
    }
    for (const [key, value] of Object.entries(changes)) {
      if (value === "") pairs.delete(key);
      else pairs.set(key, value);
    }
    ask(pairs);
  },
  sort(by) {
    const { sort } = state.question;
    const descending = sort.by === by ? !sort.descending : greatestFirst.includes(by);
    actions.set({ sort: `${descending ? "-" : ""}${by}` });
  },
  pick(id, picked) {
    const others = state.question.pick.filter((each) => each !== id);
    const pairs = new Map(questionPairs(state.question));
    ask(pairs.set("pick", (picked ? [...others, id] : others).join(",")));
  },
  save(name, format) {
    const view = state.views.find((each) => each.name === name);
    if (view === undefined) return;
    const report = raceReport(view, state.question);
    const file = `tokenroof-${name}.${format}`;
    if (format === "csv") downloadText(file, csv(report), "text/csv");
    else downloadText(file, json(report), "application/json");
  },
  draft: (draft) => changeAdded({ draft }),
  add,
  addFile: (file) => void file.text().then(add),
  remove(id) {
    const gone = state.added.chips.find((chip) => chip.id === id);
    const left = state.added.chips.filter((chip) => chip.id !== id);
    changeAdded({ chips: left, said: `${gone?.name ?? id} is removed.`, problem: undefined });
  },
};

/** Puts the device of the result that the address holds among the chips. */
async function openLink(): Promise<void> {
  if (!location.hash.startsWith("#r=")) return;
  const outcome = await decodeLink(location.hash);
  update(
    outcome.ok
      ? { measured: measuredEntry(outcome.result), problem: undefined }
      : { measured: undefined, problem: outcome.problem },
  );
}

window.addEventListener("hashchange", () => void openLink());

async function open(): Promise<void> {
  update({});
  await openLink();
  const { problem } = state;
  const query = [...new URLSearchParams(location.search)];
  const outcome = parseQuestion(query, idsOf(state.entries));
  update(outcome.ok ? { question: outcome.question, problem } : { problem: outcome.problem });
  document.dispatchEvent(new CustomEvent("tokenroof:ready"));
}

void open();
