/**
 * Contract of every component: `createX(config, deps)` is inert, `start` acquires, `stop` drains and
 * then releases. Both may be called once; `stop` after a failed `start` releases what was acquired.
 */
export interface Component {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Where a thing went wrong, for counters and logs (a closed set). */
export type Stage = 'receiving' | 'decoding' | 'tracking' | 'scoring' | 'storing' | 'serving';

/**
 * What a component may say about itself. Implemented by src/telemetry (pino and prom-client behind it);
 * log fields are structured and never hold payload, names of patients or device-supplied free text.
 */
export interface Reporter {
  log(level: LogLevel, message: string, fields?: Record<string, string | number | boolean>): void;
  /** Adds to a counter `wardwatch_<name>_total`; labels are of low cardinality, never an address. */
  count(name: string, n?: number, labels?: Record<string, string>): void;
  /** Sets a gauge `wardwatch_<name>`. */
  gauge(name: string, value: number, labels?: Record<string, string>): void;
  /** Observes seconds in a histogram `wardwatch_<name>_seconds`. */
  observe(name: string, seconds: number, labels?: Record<string, string>): void;
  /** Something was lost: always counted, with a reason. */
  dropped(what: string, n: number, reason: string): void;
}

export const silentReporter: Reporter = {
  log() {},
  count() {},
  gauge() {},
  observe() {},
  dropped() {},
};
