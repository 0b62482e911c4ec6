import { describe, expect, it } from 'vitest';
import { kindOfFailure, storeError } from '../../src/store/failures.ts';
import { TABLES, renderCreate, renderRetention } from '../../src/store/schema.ts';

describe('the schema as SQL', () => {
  it('renders a table for one server', () => {
    expect(renderCreate('ww', TABLES.windows, 30, { kind: 'single' })).toBe(
      [
        'CREATE TABLE IF NOT EXISTS ww.windows (',
        '  window_start Int64,',
        '  window_s UInt32,',
        '  device String,',
        '  vlan LowCardinality(String),',
        '  features Map(LowCardinality(String), Float64),',
        '  ingested_at DateTime DEFAULT now()',
        ')',
        'ENGINE = ReplacingMergeTree()',
        'ORDER BY (device, window_s, window_start)',
        'TTL ingested_at + toIntervalDay(30)',
      ].join('\n'),
    );
  });

  it('renders the same table for replicas of a cluster', () => {
    const sql = renderCreate('ww', TABLES.alerts, 0, { kind: 'replicated', cluster: 'wards' });
    expect(sql).toContain('CREATE TABLE IF NOT EXISTS ww.alerts ON CLUSTER wards (');
    expect(sql).toContain(
      "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/ww/alerts', '{replica}', version)",
    );
    expect(sql).not.toContain('TTL');
    expect(renderRetention('ww', 'alerts', 0, { kind: 'replicated', cluster: 'wards' })).toBe(
      'ALTER TABLE ww.alerts ON CLUSTER wards REMOVE TTL',
    );
  });
});

describe('a failure of the engine', () => {
  const engine = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code, type: 'X' });
  it.each([
    [engine('ECONNREFUSED'), 'away'],
    [engine('ENOTFOUND'), 'away'],
    [new Error('Timeout error.'), 'away'],
    [engine('252'), 'away'],
    [engine('516'), 'denied'],
    [engine('497'), 'denied'],
    [engine('243'), 'full'],
    [engine('75', 'Cannot write to file: errno: 28, strerror: No space left on device'), 'full'],
    [engine('60'), 'refused'],
    [new TypeError('x is not a function'), 'refused'],
    ['thrown text', 'away'],
  ])('%s is %s', (error, kind) => {
    expect(kindOfFailure(error)).toBe(kind);
  });

  it('never carries the text of the engine, which may quote rows', () => {
    for (const code of ['ECONNRESET', '27', '243', '516']) {
      const error = storeError(engine(code, "while parsing: 'DOE^JANE'"), 'writing alerts', 'here');
      expect(`${error.message} ${error.remedy}`).not.toContain('DOE');
      expect(error.remedy.length).toBeGreaterThan(20);
    }
  });
});
