import type { Progress } from "../engine/run";

/** Progress on stderr: one line that is rewritten on a terminal, a line per step elsewhere. */
export function showProgress({
  label,
  done,
  total,
  elapsedSeconds,
  etaSeconds,
}: Omit<Progress, "result">): void {
  const eta = etaSeconds === null ? "" : `, about ${Math.ceil(etaSeconds)} s left`;
  const line = `[${done}/${total}] ${Math.round(elapsedSeconds)} s${eta}  ${label}`;
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  } else {
    process.stderr.write(`${line}\n`);
  }
}

/** Leaves the progress line behind. */
export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\n");
}
