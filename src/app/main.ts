// The page: state, what changes it, and the window.tokenroof that scripts use.

import { render } from "lit";
import { chips } from "../chips";
import { defaultPlan, type Plan, parsePlan, planPairs } from "../plan";
import { decodeLink, encodeLink } from "../report/link";
import { report } from "../report/report";
import type { Result } from "../result";
import { type KnownTuning, parseTunings, tuningsFile } from "../tuning_records";
import type { AutomationOptions } from "./automation";
import { discardInterrupted, findInterrupted, type Marker } from "./crash_marker";
import { keepSpeed } from "./device_speed";
import { download } from "./download";
import { inspect, type Run, runSelfTest } from "./engine_client";
import { lookAround } from "./environment";
import { PATIENCE_SECONDS } from "./heartbeat";
import { nothingUnderWay } from "./interruption";
import { startKeptRun } from "./kept_run";
import { keepTunings, noTunings, placeOf } from "./known_tunings";
import { address, readPlan } from "./plan_address";
import { type Actions, type Mishaps, noMishaps, noText, type State } from "./state";
import { topFiles } from "./text_client";
import { page } from "./views/page";
import type { RunOutcome } from "./worker";
import { keepWriting } from "./writing";

const root = document.querySelector<HTMLElement>("#app");
if (root === null) throw new Error("index.html has no #app");

let state: State = {
  plan: defaultPlan,
  problem: undefined,
  planned: true,
  environment: { kind: "looking" },
  progress: undefined,
  mishaps: noMishaps,
  interrupted: undefined,
  selfTest: { kind: "none" },
  text: noText,
  tunings: noTunings,
  shown: undefined,
  link: undefined,
};
let running: Run | undefined;
const tuningKeeper = keepTunings((tunings) => update({ tunings }));
const writer = keepWriting(
  () => state.text,
  (text) => update({ text }),
  () => running?.cancel("a text is written"),
);

function update(changes: Partial<State>): void {
  state = { ...state, ...changes };
  render(page(state, actions), root!);
}

function show(result: Result, shared: boolean): void {
  update({ shown: { result, report: report(result, chips), shared }, link: undefined });
  window.tokenroof.result = result;
}

const isHidden = () => document.visibilityState === "hidden";

interface StartOptions {
  /** A run that was cut short, to go on with. */
  readonly earlier?: Marker;
  /** Instead of what this page knows. */
  readonly tunings?: readonly KnownTuning[];
}

/** Starts a run, or goes on with an earlier one, and shows what comes of it. A run that goes on is ended first. */
async function start(
  plan: Plan,
  { earlier, tunings = tuningKeeper.now.all }: StartOptions = {},
): Promise<RunOutcome> {
  running?.cancel("another run was started");
  writer.cancel();
  history.replaceState(null, "", address(plan));
  update({
    plan,
    planned: true,
    problem: undefined,
    progress: {
      label: "starting",
      done: 0,
      total: 1,
      elapsedSeconds: 0,
      etaSeconds: null,
      ...nothingUnderWay,
    },
    mishaps: { ...noMishaps, hidden: isHidden() },
    // A run that was cut short gives way to this one.
    interrupted: undefined,
    shown: undefined,
    link: undefined,
  });
  const ifRunning = (then: () => void) => {
    if (running === run) then();
  };
  const run = startKeptRun(plan, {
    earlier,
    tunings,
    patienceSeconds: window.tokenroof.patienceSeconds,
    onProgress: ({ result: _, ...rest }) =>
      ifRunning(() => {
        window.tokenroof.progress = rest;
        update({ progress: rest });
      }),
    onRestart: () => ifRunning(() => meet({ restarts: state.mishaps.restarts + 1 })),
    onNotKept: () => ifRunning(() => meet({ kept: false })),
  });
  running = run;
  const outcome = await run.outcome;
  if (outcome.ok) {
    tuningKeeper.keep(outcome.result);
    keepSpeed(outcome.result);
  }
  ifRunning(() => {
    running = undefined;
    window.tokenroof.progress = undefined;
    update({ progress: undefined, ...(!outcome.ok && { problem: outcome.problem }) });
    if (outcome.ok) show(outcome.result, false);
    document.dispatchEvent(new CustomEvent("tokenroof:done", { detail: outcome }));
  });
  return outcome;
}

const meet = (mishaps: Partial<Mishaps>) => update({ mishaps: { ...state.mishaps, ...mishaps } });

document.addEventListener("visibilitychange", () => {
  if (state.progress === undefined) return;
  const hidden = isHidden();
  meet({ hidden, timesHidden: state.mishaps.timesHidden + (hidden ? 1 : 0) });
});

const actions: Actions = {
  run() {
    if (state.planned && state.progress === undefined) void start(state.plan);
  },
  cancel: () => running?.cancel("cancelled"),
  async testInstruments() {
    update({ selfTest: { kind: "running", label: "starting" } });
    const outcome = await runSelfTest((label) => update({ selfTest: { kind: "running", label } }));
    update({
      selfTest: outcome.ok
        ? { kind: "done", test: outcome.test }
        : { kind: "failed", problem: `The self-test failed: ${outcome.problem}` },
    });
  },
  setText: writer.set,
  write() {
    if (state.progress === undefined) writer.writeChosen();
  },
  cancelText: () => writer.cancel(),
  resume() {
    const { interrupted } = state;
    if (interrupted !== undefined) void start(interrupted.result.plan, { earlier: interrupted });
  },
  showInterrupted() {
    if (state.interrupted !== undefined) show(state.interrupted.result, false);
  },
  discard() {
    update({ interrupted: undefined });
    void discardInterrupted();
  },
  set(changes) {
    const pairs = new Map(planPairs(state.plan));
    // Another preset brings its own model and lengths.
    if (changes.preset !== undefined) pairs.clear();
    for (const [key, value] of Object.entries(changes)) pairs.set(key, value);
    const parsed = parsePlan(pairs);
    // A refused setting falls back to what it was: the message says why, and the plan is still a good one.
    if (!parsed.ok) return update({ problem: parsed.problem, planned: true });
    history.replaceState(null, "", address(parsed.plan));
    update({ plan: parsed.plan, planned: true, problem: undefined });
  },
  async copyLink() {
    if (state.shown === undefined) return;
    const url = `${location.origin}${location.pathname}${await encodeLink(state.shown.result)}`;
    // Without permission the link is shown all the same, to be copied by hand.
    const copied = await navigator.clipboard.writeText(url).then(
      () => true,
      () => false,
    );
    update({ link: { url, copied } });
  },
  async showAmongChips() {
    if (state.shown === undefined) return;
    const { result, report } = state.shown;
    const { model = "", dtype = "" } = report.headlines.findLast((each) => each.model !== undefined) ?? {};
    const query = new URLSearchParams(
      model === ""
        ? []
        : [
            ["model", model],
            ["weights", dtype],
          ],
    );
    location.assign(`chips.html?${query}${await encodeLink(result)}`);
  },
  save() {
    if (state.shown === undefined) return;
    download(`tokenroof-${state.shown.result.createdAt.slice(0, 10)}.json`, state.shown.result);
  },
  tuneAfresh() {
    if (state.planned && state.progress === undefined) void start(state.plan, { tunings: [] });
  },
  exportTunings() {
    const name = `tokenroof-tunings-${new Date().toISOString().slice(0, 10)}.json`;
    download(name, tuningsFile(tuningKeeper.now.all));
  },
  importTunings(file) {
    void tuningKeeper.importFrom(file, placeOf(state));
  },
};

async function runOutcome(given: string | Plan, { tunings }: AutomationOptions = {}): Promise<RunOutcome> {
  const plan = readPlan(given);
  if (!plan.ok) return plan;
  if (tunings === undefined) {
    await tuningKeeper.loaded;
    return start(plan.plan);
  }
  const parsed = parseTunings(tunings);
  return parsed.ok
    ? start(plan.plan, { tunings: parsed.records })
    : { ok: false, problem: `tunings: ${parsed.problem}` };
}

window.tokenroof = {
  runOutcome,
  async run(given, options) {
    const outcome = await runOutcome(given, options);
    if (!outcome.ok) throw new Error(outcome.problem);
    return outcome.result;
  },
  cancel: (reason = "cancelled") => running?.cancel(reason),
  inspect,
  selfTest: () => runSelfTest(() => {}),
  patienceSeconds: PATIENCE_SECONDS,
  writeText: (order, files) => writer.write(order, files === undefined ? state.text.files : topFiles(files)),
  textProgress: undefined,
  result: undefined,
  progress: undefined,
};

/** Shows the result that the address holds; false where it holds none. */
async function openLink(): Promise<boolean> {
  if (!location.hash.startsWith("#r=")) return false;
  const outcome = await decodeLink(location.hash);
  if (outcome.ok) {
    update({ problem: undefined, environment: { kind: "not asked" }, plan: outcome.result.plan });
    show(outcome.result, true);
  } else {
    update({ problem: outcome.problem, shown: undefined });
    update({ environment: await lookAround() });
  }
  return true;
}

window.addEventListener("hashchange", () => void openLink());

/** Offers a run that was cut short, unless another has begun meanwhile. */
async function offerInterrupted(): Promise<void> {
  const interrupted = await findInterrupted();
  if (running === undefined) update({ interrupted });
}

async function open(): Promise<void> {
  update({});
  if (!(await openLink())) {
    const query = [...new URLSearchParams(location.search)];
    if (query.every(([key]) => key !== "run")) void offerInterrupted();
    const parsed = parsePlan(query.filter(([key]) => key !== "run"));
    update(parsed.ok ? { plan: parsed.plan } : { problem: parsed.problem, planned: false });
    const environment = await lookAround();
    update({ environment });
    if (parsed.ok && environment.kind === "ready" && query.some(([key]) => key === "run")) {
      await tuningKeeper.loaded;
      void start(parsed.plan);
    }
  }
  document.dispatchEvent(new CustomEvent("tokenroof:ready"));
}

void open();
