/** What a person or a supervisor asks a long-running command by signal. */
export interface Asked {
  /** Aborted by the first SIGINT or SIGTERM; the second one ends the process at once. */
  readonly stop: AbortSignal;
  /** Signals mean again what they mean without us. */
  end(): void;
}

/** @param doing what happens after the first signal, said to the person who sent it */
export function untilSignal(doing: string): Asked {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    process.stderr.write(`wardwatch: stopping; ${doing} (again to end at once)\n`);
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    stop: stop.signal,
    end: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
