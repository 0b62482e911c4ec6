/** A rise too small for any window, found by the cumulative sum over hours. */
import { describe, expect, it } from 'vitest';
import unusualBehaviour from '../../detectors/unusual-behaviour/index.ts';
import { WindowBaseline } from '../../src/baseline/windows.ts';
import { WindowModels } from '../../src/baseline/models.ts';
import { NoveltySets } from '../../src/baseline/novelty.ts';
import { DetectEngine } from '../../src/detect/engine.ts';
import type { RaisedFinding } from '../../src/detect/engine.ts';
import { F, FEATURE_COUNT } from '../../src/features/catalogue.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { Device } from '../../src/identity/device.ts';
import { createPrng } from '../../src/lib/prng.ts';

const START_US = 1_800_000_000e6;
const HOUR_US = 3600e6;
const LEARNED_HOURS = 48;

/** Findings of a device that sends so many bytes elsewhere in each hour after 48 learned ones of about 200 kB. */
function findingsOf(hours: readonly number[], learned = LEARNED_HOURS): RaisedFinding[] {
  const findings: RaisedFinding[] = [];
  let nowUs = Math.ceil(START_US / HOUR_US) * HOUR_US;
  const device = new Device(0, '0/02:00:00:00:00:01', 1, 0x020000, 1, '02:00:00:00:00:01', 0, '0', nowUs);
  const engine = new DetectEngine({
    detectors: [
      {
        definition: unusualBehaviour,
        params: Object.fromEntries(Object.entries(unusualBehaviour.params).map(([name, p]) => [name, p.default])),
        origin: 'test',
      },
    ],
    novelty: new NoveltySets(1024, () => 'unknown'),
    models: new WindowModels(1),
    nowUs: () => nowUs,
    devices: () => [device],
    deviceAt: () => device,
    deviceBeside: () => undefined,
    classOf: () => loadClasses().get('unknown')!,
    blind: () => false,
    onFinding: (finding) => findings.push(finding),
    onScore: () => {},
    onFailure: (id, reason) => expect.unreachable(`${id}: ${reason}`),
  });
  const own = new WindowBaseline(48);
  const values = new Float64Array(FEATURE_COUNT);
  const { double } = createPrng(7);
  const play = (bytes: number): void => {
    for (let minute = 0; minute < 60; minute += 10) {
      values[F.external_out] = (bytes / 6) * (0.9 + 0.2 * double());
      engine.window(device, nowUs, 60, values, 0, own);
      nowUs += 600e6;
    }
  };
  for (let i = 0; i < learned; i++) play(200_000 * (0.8 + 0.4 * double()));
  device.learning = false;
  engine.learned(device);
  for (const bytes of hours) play(bytes);
  // An hour is judged when the next one begins.
  play(200_000);
  return findings;
}

const repeated = (n: number, bytes: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => bytes(i));

describe('a slow rise of what is sent elsewhere', () => {
  it('is told once it has lasted, though no hour of it is far out', () => {
    const findings = findingsOf(repeated(24, () => 330_000));
    expect(findings.length).toBeGreaterThan(0);
    expect(findings[0]).toMatchObject({ subject: 'drift', severity: 2, title: 'Sends more and more elsewhere' });
    expect(findings[0]!.sentence).toMatch(/more than usual to other networks for about \d+ hours/);
    expect(findings[0]!.tsUs - findings[0]!.firstUs).toBeGreaterThanOrEqual(2 * HOUR_US);
  });

  it('is told of a rise that goes on hour by hour', () => {
    expect(findingsOf(repeated(24, (i) => 200_000 * 1.05 ** i))).not.toEqual([]);
  });

  it('is not told of usual weeks, of one large hour, or of less than usual', () => {
    const { double } = createPrng(11);
    expect(findingsOf(repeated(24 * 14, () => 200_000 * (0.8 + 0.4 * double())))).toEqual([]);
    expect(findingsOf([...repeated(5, () => 200_000), 900_000_000, ...repeated(20, () => 200_000)])).toEqual([]);
    expect(findingsOf(repeated(48, () => 20_000))).toEqual([]);
  });

  it('is not looked for where too few hours were learned', () => {
    expect(
      findingsOf(
        repeated(48, () => 600_000),
        12,
      ),
    ).toEqual([]);
  });
});
