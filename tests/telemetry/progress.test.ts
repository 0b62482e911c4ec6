import { expect, it } from 'vitest';
import { createProgress, formatSeconds } from '../../src/telemetry/progress.ts';

function setUp(isTTY: boolean, columns = 80) {
  const clock = { ms: 0 };
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), isTTY, columns };
  return { clock, written, progress: createProgress('replay', { stream, now: () => clock.ms }) };
}

it('redraws one line on a terminal and takes it away at the end', () => {
  const { clock, written, progress } = setUp(true);
  clock.ms = 10_000;
  progress.update({ frames: 1_000_000, bytes: 25, bytesTotal: 100 });
  progress.update({ frames: 1_000_001, bytes: 26, bytesTotal: 100 });
  expect(written).toEqual(['\r\u001b[2Kreplay: 1,000,000 frames, 100,000/s, 25%, 0:30 left']);
  progress.done();
  expect(written.at(-1)).toBe('\r\u001b[2K');
});

it('never fills more than the terminal’s line', () => {
  const { clock, written, progress } = setUp(true, 20);
  clock.ms = 1000;
  progress.update({ frames: 123_456_789 });
  expect(written[0]!.replace('\r\u001b[2K', '').length).toBeLessThan(20);
});

it('writes plain lines, seconds apart, elsewhere', () => {
  const { clock, written, progress } = setUp(false);
  for (let second = 1; second <= 11; second++) {
    clock.ms = second * 1000;
    progress.update({ frames: second * 10 });
  }
  progress.done();
  expect(written).toEqual([
    'replay: 50 frames, 10/s\n',
    'replay: 100 frames, 10/s\n',
    'replay: 110 frames, 10/s, done in 0:11\n',
  ]);
});

it('is silent about work that took no time', () => {
  const { written, progress } = setUp(false);
  progress.update({ frames: 5 });
  progress.done();
  expect(written).toEqual([]);
});

it('writes seconds as people do', () => {
  expect([0, 59.6, 245, 3723].map(formatSeconds)).toEqual(['0:00', '1:00', '4:05', '1:02:03']);
});
