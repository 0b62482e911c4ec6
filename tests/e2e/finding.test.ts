import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFinding } from '../../src/console/finding.ts';
import {
  createTimeFormat,
  formatBytes,
  formatDuration,
  formatPValue,
  formatWords,
  visibly,
} from '../../src/console/format.ts';
import { BEACON } from '../api/rows.ts';

describe('readFinding', () => {
  it('reads what an alert says about itself', () => {
    const view = readFinding(JSON.parse(BEACON.ocsf) as object);
    expect(view.sentence).toBe(BEACON.message);
    expect(view.comparisons[2]).toEqual({
      parameter: 'external out',
      unit: 'bytes',
      seen: '4,180',
      usual: 'none',
      pattern: 'ABOVE RANGE',
      learned: 706,
      pValue: 0.0014,
    });
    expect(view.evidence[0]).toMatchObject({
      src: { ip: '10.20.4.31', port: 49_822 },
      dst: { ip: '203.0.113.66' },
      service: 'tls',
    });
    expect(view.techniques.map((one) => one.uid)).toEqual(['T0869', 'T1071.001']);
    expect(view.doThis).toHaveLength(2);
    expect(view.doNot).toHaveLength(1);
    expect(view.frames).toEqual([{ origin: 'icu-span.pcapng', first: 10_412, last: 15_990 }]);
    expect(view.related[0]?.detector).toBe('new-external-peer');
  });

  it('is tolerant of anything', () => {
    expect(readFinding(null)).toMatchObject({ sentence: '', comparisons: [], evidence: [], frames: [] });
    const keys = [
      'anomaly_analyses',
      'anomalies',
      'baselines',
      'observations',
      'finding_info',
      'attacks',
      'technique',
      'unmapped',
    ];
    const names = fc.constantFrom(...keys, 'evidences', 'src_endpoint', 'frames', 'related', 'do', 'value', 'message');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, true, 0, 'x', Number.NaN),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(names, tie('value'), { maxKeys: 4 }),
      ),
    }));
    const body = fc.dictionary(names, value, { maxKeys: 6 });
    fc.assert(
      fc.property(body, (ocsf) => {
        const view = readFinding(ocsf);
        for (const row of view.comparisons) expect(typeof row.seen).toBe('string');
        expect([...view.doThis, ...view.doNot].every((line) => typeof line === 'string')).toBe(true);
      }),
      { seed: 11, numRuns: 2000 },
    );
  });
});

describe('values for people', () => {
  it('times are those of the site, over the change to summer time', () => {
    const vienna = createTimeFormat('Europe/Vienna');
    expect(vienna.full(Date.UTC(2026, 2, 29, 0, 59, 59))).toBe('2026-03-29 01:59:59');
    expect(vienna.full(Date.UTC(2026, 2, 29, 1, 0, 0))).toBe('2026-03-29 03:00:00');
    expect(vienna.clock(Date.UTC(2026, 0, 1, 23, 0, 0))).toBe('00:00:00');
    expect(vienna.day(Number.NaN)).toBe('unknown');
  });

  it('figures have units', () => {
    expect([0, 999, 1500, 4_212_345_678].map(formatBytes)).toEqual(['0 B', '999 B', '1.5 kB', '4.2 GB']);
    expect([0.0001, 0.412, 1.8, 240, 3599.7, 15_000, 180_000].map(formatDuration)).toEqual([
      '< 1 ms',
      '412 ms',
      '1.8 s',
      '4 min',
      '1 h',
      '4 h 10 min',
      '2 d 2 h',
    ]);
    expect([0.0014, 0.00002, 0.25].map(formatPValue)).toEqual(['0.0014', '2.0e-5', '0.25']);
    expect(['ct-scanner', 'infusion_pump', ''].map(formatWords)).toEqual(['CT scanner', 'Infusion pump', 'Unknown']);
  });

  it('deceptive characters are shown', () => {
    const name = 'a\u202eb\u0000c\u200bd\ne';
    expect(JSON.parse(JSON.stringify({ name }), visibly)).toEqual({ name: 'a⟨U+202E⟩b⟨U+0000⟩c⟨U+200B⟩d e' });
  });
});
