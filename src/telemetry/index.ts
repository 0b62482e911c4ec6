import { destination, pino } from 'pino';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { LogLevel, Reporter } from '../kernel/component.ts';
import { tame } from '../lib/tame.ts';
import { catalogue } from './catalogue.ts';
import type { Metric } from './catalogue.ts';
import type { TelemetryConfig } from './config.ts';
import { createLimiter, prettyLine } from './log-lines.ts';
import type { LogFields } from './log-lines.ts';

/** Where log lines go: standard error, or a test. */
export interface LogStream {
  write(line: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export interface TelemetryDeps {
  version: string;
  /** Default: standard error, so that standard output is for results alone. */
  stream?: LogStream;
  /** Milliseconds; for the rate limit alone. */
  now?: () => number;
  /** A metric missing from the catalogue throws: on in tests, off at a site. */
  strict?: boolean;
  /** Series about the process (memory, CPU, event loop). Default true. */
  processMetrics?: boolean;
}

export interface Telemetry {
  /** A reporter whose log lines carry the component's name. */
  reporter(component?: string): Reporter;
  /** Text exposition for Prometheus. */
  metrics(): Promise<string>;
  readonly contentType: string;
}

/** From a quarter of a millisecond, which is a fast query, to a minute. */
const BUCKETS = [0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10, 60];

type Series = { counter: Counter; gauge: Gauge; histogram: Histogram };

/** Logs by pino, metrics by prom-client; the rest of the program knows only {@link Reporter}. */
export function createTelemetry(config: TelemetryConfig, deps: TelemetryDeps): Telemetry {
  const strict = deps.strict ?? process.env['VITEST'] !== undefined;
  const registry = new Registry();
  const metrics = registerCatalogue(registry);
  if (deps.processMetrics ?? true) collectDefaultMetrics({ register: registry, prefix: 'wardwatch_' });

  function find<K extends keyof Series>(kind: K, name: string): Series[K] | undefined {
    const found = metrics[kind].get(name);
    if (found) return found as Series[K];
    if (strict) throw new RangeError(`no ${kind} "${name}" in src/telemetry/catalogue.ts`);
    metrics.counter.get('unknown_metrics')?.inc(1);
    return undefined;
  }
  find('gauge', 'build_info')?.set({ version: deps.version, node: process.versions.node }, 1);

  const limiter = createLimiter(config.log_burst, config.log_interval_seconds * 1000, deps.now ?? Date.now);
  const logger = createLogger(config, deps.stream);

  function reporter(component?: string): Reporter {
    const log = component === undefined ? logger : logger.child({ component });
    return {
      log(level: LogLevel, message: string, fields?: LogFields) {
        find('counter', 'log_messages')?.inc({ level }, 1);
        if (!log.isLevelEnabled(level)) return;
        const limited = level === 'warn' || level === 'error';
        const held = limited ? limiter.admit(level, message) : 0;
        if (held === undefined) return;
        const record: LogFields = {};
        for (const [key, value] of Object.entries(fields ?? {})) {
          record[key] = typeof value === 'string' ? tame(value) : value;
        }
        if (held > 0) record['held_back'] = held;
        log[level](record, tame(message));
      },
      count(name, n = 1, labels = {}) {
        find('counter', name)?.inc(labels, n);
      },
      gauge(name, value, labels = {}) {
        find('gauge', name)?.set(labels, value);
      },
      observe(name, seconds, labels = {}) {
        find('histogram', name)?.observe(labels, seconds);
      },
      dropped(what, n, reason) {
        find('counter', 'dropped')?.inc({ what, reason }, n);
      },
    };
  }

  return { reporter, metrics: async () => registry.metrics(), contentType: registry.contentType };
}

/** The name of a metric as Prometheus sees it. */
export function exposedName(metric: Metric): string {
  const suffix = { counter: '_total', gauge: '', histogram: '_seconds' }[metric.kind];
  return `wardwatch_${metric.name}${suffix}`;
}

function registerCatalogue(registry: Registry) {
  const metrics = {
    counter: new Map<string, Counter>(),
    gauge: new Map<string, Gauge>(),
    histogram: new Map<string, Histogram>(),
  };
  for (const metric of catalogue) {
    const settings = {
      name: exposedName(metric),
      help: metric.help,
      labelNames: [...metric.labels],
      registers: [registry],
    };
    if (metric.kind === 'counter') metrics.counter.set(metric.name, new Counter(settings));
    else if (metric.kind === 'gauge') metrics.gauge.set(metric.name, new Gauge(settings));
    else metrics.histogram.set(metric.name, new Histogram({ ...settings, buckets: BUCKETS }));
  }
  return metrics;
}

function createLogger(config: TelemetryConfig, stream: LogStream | undefined) {
  const settings = {
    level: config.log_level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const terminal = (stream ?? process.stderr).isTTY === true;
  const pretty = config.log_format === 'pretty' || (config.log_format === 'auto' && terminal);
  if (!pretty) return pino(settings, stream ?? destination({ dest: 2, sync: true }));
  const out = stream ?? process.stderr;
  // On a terminal a line of progress may stand there: it is wiped, and drawn again below.
  const wipe = terminal ? '\r\u001b[2K' : '';
  return pino(settings, { write: (line: string) => void out.write(wipe + prettyLine(line, terminal)) });
}
