import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../src/lib/prng.ts';
import { createSimulation } from '../../src/simulate/index.ts';
import { decodeCapture } from '../../src/sources/pcap/decode.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { gathered, play, pointsInside } from './paths.ts';
import type { Outcome, Run } from './paths.ts';

/** As many cuts as one wants to wait for; more of them by `WARDWATCH_STATE_CUTS`. */
const CUTS = Number(process.env['WARDWATCH_STATE_CUTS'] ?? 3);
const SLOW = 180_000;

function randomCuts(seed: number, frames: number, n: number): number[] {
  const random = createPrng(seed);
  return Array.from({ length: n }, () => 1 + random.int(frames - 1));
}

/** The first line that differs says more than ten thousand. */
function expectSame(outcome: Outcome, undisturbed: Outcome): void {
  const differs = undisturbed.lines.findIndex((line, i) => line !== outcome.lines[i]);
  if (differs >= 0) expect(outcome.lines[differs]).toBe(undisturbed.lines[differs]);
  expect(outcome.lines).toHaveLength(undisturbed.lines.length);
  expect(outcome.counters).toEqual(undisturbed.counters);
  expect(outcome.resynchronised).toBe(0);
}

describeWithCaptures(
  'state taken out and put into another hot path: every row as in the undisturbed run',
  (captures) => {
    let run: Run;
    let undisturbed: Outcome;
    beforeAll(async () => {
      const bytes = gunzipSync(readFileSync(join(captures, 'clinical/C-smb_ransomware.pcap.gz')));
      const { batch } = decodeCapture(bytes, 'capture');
      run = { frames: batch, learnFrames: Math.floor(batch.count * 0.3) };
      undisturbed = await play(run, []);
    }, SLOW);

    it('has alerts to lose', () => {
      expect(undisturbed.lines.filter((line) => line.startsWith('alert')).length).toBeGreaterThan(5);
    });

    it(
      'at random frames, while it learns and afterwards',
      async () => {
        expectSame(await play(run, randomCuts(1, run.frames.count, CUTS)), undisturbed);
      },
      SLOW,
    );

    it(
      'inside of messages, whose beginning is read once more',
      async () => {
        const points = await pointsInside(run, 300);
        expect(points.length).toBeGreaterThan(3);
        const random = createPrng(2);
        expectSame(
          await play(
            run,
            Array.from({ length: CUTS }, () => points[random.int(points.length)]!),
          ),
          undisturbed,
        );
      },
      SLOW,
    );

    it(
      'right before and right after the frames that make alerts',
      async () => {
        const times = undisturbed.lines
          .filter((line) => line.startsWith('alert'))
          .map((line) => (JSON.parse(line.slice(6)) as { time: number }).time * 1000);
        const cuts = times.flatMap((us) => {
          const at = run.frames.tsUs.findIndex((ts) => ts >= us);
          return at > 0 ? [at, at + 1] : [];
        });
        const random = createPrng(3);
        expectSame(
          await play(
            run,
            Array.from({ length: CUTS }, () => cuts[random.int(cuts.length)]!),
          ),
          undisturbed,
        );
      },
      SLOW,
    );
  },
);

describe('the same on a simulated site with changes and attacks', () => {
  it(
    'at random frames',
    async () => {
      const frames = await gathered(
        createSimulation({
          devices: 30,
          hours: 0.5,
          seed: 4,
          startS: 1_780_000_000,
          attacks: ['scan'],
          changes: true,
          quietHours: 0.25,
          thin: 20,
        }),
      );
      const run = { frames, learnFrames: frames.tsUs.findIndex((ts) => ts >= frames.tsUs[0]! + 900e6) };
      expectSame(await play(run, randomCuts(5, frames.count, CUTS)), await play(run, []));
    },
    SLOW,
  );
});
