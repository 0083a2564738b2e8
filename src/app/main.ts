// The page: state, what changes it, and the window.tokenroof that scripts use.

import { render } from "lit";
import * as v from "valibot";
import { chips } from "../chips";
import type { Progress } from "../engine/run";
import { defaultPlan, type Plan, parsePlan, parsePlanWords, planPairs, planSchema } from "../plan";
import { decodeLink, encodeLink } from "../report/link";
import { report } from "../report/report";
import type { Result } from "../result";
import { adviceFor } from "./advice";
import { inspect, type Run, startRun } from "./engine_client";
import type { Actions, Environment, State } from "./state";
import { page } from "./views/page";
import type { RunOutcome } from "./worker";

const root = document.querySelector<HTMLElement>("#app");
if (root === null) throw new Error("index.html has no #app");

let state: State = {
  plan: defaultPlan,
  problem: undefined,
  planned: true,
  environment: { kind: "looking" },
  progress: undefined,
  shown: undefined,
  link: undefined,
};
let running: Run | undefined;

function update(changes: Partial<State>): void {
  state = { ...state, ...changes };
  render(page(state, actions), root!);
}

function show(result: Result, shared: boolean): void {
  update({ shown: { result, report: report(result, chips), shared }, link: undefined });
  window.tokenroof.result = result;
}

/** Starts a run and shows what comes of it. A run that goes on is ended first. */
async function start(plan: Plan): Promise<RunOutcome> {
  running?.cancel("another run was started");
  history.replaceState(null, "", address(plan));
  const starting = { label: "starting", done: 0, total: 1, elapsedSeconds: 0, etaSeconds: null };
  update({ plan, planned: true, problem: undefined, shown: undefined, link: undefined, progress: starting });
  const run = startRun(plan, (progress: Progress) => {
    if (running !== run) return;
    const { result: _, ...rest } = progress;
    window.tokenroof.progress = rest;
    update({ progress: rest });
  });
  running = run;
  const outcome = await run.outcome;
  if (running === run) {
    running = undefined;
    window.tokenroof.progress = undefined;
    update({ progress: undefined, ...(!outcome.ok && { problem: outcome.problem }) });
    if (outcome.ok) show(outcome.result, false);
    document.dispatchEvent(new CustomEvent("tokenroof:done", { detail: outcome }));
  }
  return outcome;
}

/** The page's address for a plan: what differs from the defaults and nothing else. */
function address(plan: Plan): string {
  const pairs = planPairs(plan).map(
    ([key, value]) => `${key}=${value.split(",").map(encodeURIComponent).join(",")}`,
  );
  return pairs.length === 0 ? location.pathname : `?${pairs.join("&")}`;
}

const actions: Actions = {
  run() {
    if (state.planned && state.progress === undefined) void start(state.plan);
  },
  cancel: () => running?.cancel("cancelled"),
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
  save() {
    if (state.shown === undefined) return;
    const file = new Blob([`${JSON.stringify(state.shown.result, null, 1)}\n`], { type: "application/json" });
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(file);
    anchor.download = `tokenroof-${state.shown.result.createdAt.slice(0, 10)}.json`;
    anchor.click();
    URL.revokeObjectURL(anchor.href);
  },
};

function readPlan(given: string | Plan): { ok: true; plan: Plan } | { ok: false; problem: string } {
  if (typeof given === "string") return parsePlanWords(given.split(/\s+/).filter(Boolean));
  const parsed = v.safeParse(planSchema, given);
  if (parsed.success) return { ok: true, plan: parsed.output };
  const [issue] = parsed.issues;
  return { ok: false, problem: `plan.${issue.path?.map(({ key }) => key).join(".")}: ${issue.message}` };
}

async function runOutcome(given: string | Plan): Promise<RunOutcome> {
  const plan = readPlan(given);
  return plan.ok ? start(plan.plan) : plan;
}

window.tokenroof = {
  runOutcome,
  async run(given) {
    const outcome = await runOutcome(given);
    if (!outcome.ok) throw new Error(outcome.problem);
    return outcome.result;
  },
  cancel: (reason = "cancelled") => running?.cancel(reason),
  inspect,
  result: undefined,
  progress: undefined,
};

async function lookAround(): Promise<Environment> {
  const agent = navigator.userAgent;
  if (!globalThis.isSecureContext)
    return { kind: "unable", advice: adviceFor({ problem: "insecure", agent }) };
  if (navigator.gpu === undefined)
    return { kind: "unable", advice: adviceFor({ problem: "no WebGPU", agent }) };
  const outcome = await inspect();
  if (!outcome.ok) {
    return { kind: "unable", advice: adviceFor({ problem: "no adapter", agent }), detail: outcome.problem };
  }
  const { device } = outcome;
  if (device.software !== null)
    return { kind: "ready", device, advice: adviceFor({ problem: "software adapter", agent }) };
  return globalThis.crossOriginIsolated
    ? { kind: "ready", device }
    : { kind: "ready", device, advice: adviceFor({ problem: "not isolated", agent }) };
}

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

async function open(): Promise<void> {
  update({});
  if (!(await openLink())) {
    const query = [...new URLSearchParams(location.search)];
    const parsed = parsePlan(query.filter(([key]) => key !== "run"));
    update(parsed.ok ? { plan: parsed.plan } : { problem: parsed.problem, planned: false });
    const environment = await lookAround();
    update({ environment });
    if (parsed.ok && environment.kind === "ready" && query.some(([key]) => key === "run"))
      void start(parsed.plan);
  }
  document.dispatchEvent(new CustomEvent("tokenroof:ready"));
}

void open();
