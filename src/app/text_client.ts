// The page's side of a text: a worker of its own, which ends with it or when somebody cancels it.

import * as Comlink from "comlink";
import type { TextOrder, TextOutcome, TextProgress } from "../text_result";
import { failure, hostInfo, startWorker } from "./engine_client";
import { watch } from "./heartbeat";
import type { Engine, NamedFile } from "./worker";

export interface TextRun {
  /** Never rejects. */
  readonly outcome: Promise<TextOutcome>;
  cancel(): void;
}

/** Silence after which a worker counts as dead: it may convert a large tensor for a while, but not for that long. */
const PATIENCE_SECONDS = 60;

/** Those of the chosen files that lie in the chosen folder itself, by name. */
export const topFiles = (files: Iterable<File>): NamedFile[] =>
  [...files]
    .filter(({ webkitRelativePath }) => webkitRelativePath.split("/").length <= 2)
    .map((file) => ({ name: file.name, file, folder: file.webkitRelativePath.split("/")[0] || null }));

/** Starts writing. */
export function startText(
  order: TextOrder,
  files: readonly NamedFile[],
  onProgress: (progress: TextProgress) => void,
): TextRun {
  const worker = startWorker();
  const engine = Comlink.wrap<Engine>(worker);
  const progress = new MessageChannel();
  const { promise: outcome, resolve } = Promise.withResolvers<TextOutcome>();
  let over = false;
  const finish = (ended: TextOutcome) => {
    if (over) return;
    over = true;
    unwatch();
    engine[Comlink.releaseProxy]();
    worker.terminate();
    progress.port1.close();
    resolve(ended);
  };
  const fail = (problem: string) => finish({ ok: false, fault: "run", problem });
  const unwatch = watch(worker, PATIENCE_SECONDS, () =>
    fail(`the worker gave no sign of life in ${PATIENCE_SECONDS} s`),
  );
  worker.addEventListener("error", (event) => fail(failure(event)));
  progress.port1.onmessage = ({ data }: MessageEvent<TextProgress>) => {
    if (!over) onProgress(data);
  };
  engine
    .writeText(order, files, hostInfo(), Comlink.transfer(progress.port2, [progress.port2]))
    .then(finish, (error: unknown) => fail(error instanceof Error ? error.message : String(error)));
  return { outcome, cancel: () => fail("cancelled") };
}
