import { describe, expect, it } from 'vitest';
import { createTelemetry } from '../../src/telemetry/index.ts';
import { catalogue } from '../../src/telemetry/catalogue.ts';
import type { TelemetryConfig } from '../../src/telemetry/config.ts';
import type { TelemetryDeps } from '../../src/telemetry/index.ts';

const defaults: TelemetryConfig = { log_level: 'info', log_format: 'auto', log_burst: 2, log_interval_seconds: 60 };

function setUp(config: Partial<TelemetryConfig> = {}, deps: Partial<TelemetryDeps> = {}, isTTY = false) {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const telemetry = createTelemetry(
    { ...defaults, ...config },
    {
      version: '1.2.3',
      stream: { write: (line) => lines.push(line), isTTY },
      now: () => clock.ms,
      processMetrics: false,
      ...deps,
    },
  );
  return { telemetry, lines, clock, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('logs', () => {
  it('are JSON lines with level, component and fields', () => {
    const { telemetry, records } = setUp();
    telemetry.reporter('store').log('info', 'opened', { tables: 6 });
    expect(records()).toEqual([
      { level: 'info', time: expect.any(Number), component: 'store', tables: 6, msg: 'opened' },
    ]);
  });

  it('are lines for people on a terminal', () => {
    const { telemetry, lines } = setUp({}, {}, true);
    telemetry.reporter('store').log('warn', 'slow insert', { table: 'flows', why: 'disk is busy' });
    expect(lines[0]!.replace('\r\u001b[2K', '')).toMatch(
      /^\d\d:\d\d:\d\d \S*warn \S* store: slow insert table=flows why="disk is busy"\n$/,
    );
  });

  it('keep to the level', () => {
    const { telemetry, lines } = setUp({ log_level: 'error' });
    telemetry.reporter().log('warn', 'not important enough');
    expect(lines).toEqual([]);
  });

  it('hold repeated warnings back and say how many', () => {
    const { telemetry, records, clock } = setUp();
    const reporter = telemetry.reporter();
    for (let i = 0; i < 10; i++) reporter.log('warn', 'disk full');
    reporter.log('error', 'another');
    expect(records().map((record) => record['msg'])).toEqual(['disk full', 'disk full', 'another']);
    clock.ms = 60_000;
    reporter.log('warn', 'disk full');
    expect(records().at(-1)).toMatchObject({ msg: 'disk full', held_back: 8 });
  });

  it('hold back floods of ever new messages as well', () => {
    const { telemetry, lines } = setUp();
    for (let i = 0; i < 5000; i++) telemetry.reporter().log('warn', `message ${i}`);
    expect(lines.length).toBeLessThan(1100);
  });

  it('cannot be broken or flooded by a value', () => {
    const { telemetry, lines, records } = setUp({ log_format: 'pretty' });
    telemetry.reporter().log('info', 'found\nfake line', { name: `\u001b[31m${'x'.repeat(10_000)}` });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.trimEnd()).not.toMatch(/[\n\u001b]/);
    expect(lines[0]!.length).toBeLessThan(500);
    expect(records).toThrow();
  });
});

describe('metrics', () => {
  it('are exposed under their Prometheus names', async () => {
    const { telemetry } = setUp();
    const reporter = telemetry.reporter();
    reporter.count('http_requests', 2, { method: 'GET', route: '/', status: '200' });
    reporter.gauge('event_clients', 3);
    reporter.observe('http_request', 0.02, { route: '/' });
    reporter.dropped('frames', 5, 'queue_full');
    const text = await telemetry.metrics();
    expect(text).toContain('wardwatch_http_requests_total{method="GET",route="/",status="200"} 2');
    expect(text).toContain('wardwatch_event_clients 3');
    expect(text).toContain('wardwatch_http_request_seconds_bucket{le="0.025",route="/"} 1');
    expect(text).toContain('wardwatch_dropped_total{what="frames",reason="queue_full"} 5');
    expect(text).toContain('wardwatch_build_info{version="1.2.3"');
  });

  it('unknown to the catalogue throw in tests and are counted elsewhere', async () => {
    const strict = setUp().telemetry.reporter();
    expect(() => strict.count('no_such_thing')).toThrow(/catalogue/);
    expect(() => strict.gauge('http_requests', 1)).toThrow(/gauge/);
    const { telemetry } = setUp({}, { strict: false });
    telemetry.reporter().count('no_such_thing');
    expect(await telemetry.metrics()).toContain('wardwatch_unknown_metrics_total 1');
  });

  it('of two telemetries do not mix', async () => {
    const one = setUp().telemetry;
    const two = setUp().telemetry;
    one.reporter().gauge('event_clients', 1);
    two.reporter().gauge('event_clients', 2);
    expect(await one.metrics()).toContain('wardwatch_event_clients 1');
  });
});

describe('the catalogue', () => {
  it('has each name once, in the form that Prometheus asks for', () => {
    const names = catalogue.map((metric) => metric.name);
    expect(new Set(names).size).toBe(names.length);
    for (const metric of catalogue) {
      expect(metric.name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(metric.name).not.toMatch(metric.kind === 'histogram' ? /^wardwatch|_seconds$/ : /^wardwatch|_total$/);
      expect(metric.help).toMatch(/^[A-Z].*\.$/);
      for (const label of metric.labels) {
        expect(label).toMatch(/^[a-z][a-z_]*$/);
        expect(['ip', 'mac', 'device', 'address', 'file', 'user']).not.toContain(label);
      }
    }
  });
});
