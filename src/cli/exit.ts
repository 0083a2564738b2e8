/** What the command line's exit status means. Scripts rely on it. */
export const ExitCode = {
  done: 0,
  /** What was measured fails: a kernel check, a budget, a regression, or a run that did not finish. */
  failed: 1,
  /** Bad usage or bad input, said in one line. */
  usage: 2,
  /** No browser, no adapter, or a software adapter with --require-hardware. */
  environment: 3,
  /** compare cannot tell. */
  undecided: 4,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends the command with a message on stderr. */
export class Exit extends Error {
  constructor(
    readonly code: ExitCode,
    message: string,
  ) {
    super(message);
  }
}
