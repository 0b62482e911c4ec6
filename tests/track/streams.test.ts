import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowRow, ObservationRow } from '../../src/kernel/rows.ts';
import { loadConfig } from '../../src/config/index.ts';
import { buildHotPath } from '../../src/app/build.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { FLAGS, batchOf, ethernet, ipv4, tcp } from '../support/frames.ts';
import type { FrameSpec } from '../support/frames.ts';

const A = '00:09:fb:01:02:03';
const B = '00:15:5d:0a:00:01';

const knowledge = loadKnowledge(loadClasses());

/** Five messages in one stream; the third is longer than the others. */
const MESSAGES = Array.from({ length: 5 }, (_, i) => {
  const obx = Array.from(
    { length: i === 2 ? 60 : 2 },
    (_, k) => `OBX|${k + 1}|NM|HR^HeartRate||${60 + i + k}|bpm|||||F\r`,
  ).join('');
  return `\x0bMSH|^~\\&|MON${i}|ICU|ENGINE|HOSP|20261121||ORU^R01|C${i}|P|2.6\rPID|||4711^^^X||DOE^JANE\r${obx}\x1c\r`;
});
const STREAM = Buffer.from(MESSAGES.join(''), 'latin1');

interface Piece {
  readonly from: number;
  readonly to: number;
}

function segments(pieces: readonly Piece[]): FrameSpec[] {
  const frame = (fromClient: boolean, flags: number, seq: number, ack: number, payload?: Uint8Array): Uint8Array =>
    fromClient
      ? ethernet(A, B, 0x0800, ipv4('10.0.0.1', '10.0.0.2', 6, tcp(40_000, 9000, flags, seq, ack, payload)))
      : ethernet(B, A, 0x0800, ipv4('10.0.0.2', '10.0.0.1', 6, tcp(9000, 40_000, flags, seq, ack, payload)));
  const { syn, ack, psh } = FLAGS;
  const frames = [
    frame(true, syn, 99, 0),
    frame(false, syn | ack, 499, 100),
    frame(true, ack, 100, 500),
    ...pieces.map((p) => frame(true, ack | psh, 100 + p.from, 500, STREAM.subarray(p.from, p.to))),
  ];
  return frames.map((bytes, i) => ({ bytes, tsUs: 1e9 + i * 1000 }));
}

const read = (pieces: readonly Piece[]): ReturnType<typeof readFrames> => readFrames(segments(pieces));

async function readFrames(
  frames: readonly FrameSpec[],
): Promise<{ controls: string[]; flow: FlowRow; rows: ObservationRow[] }> {
  const rows: ObservationRow[] = [];
  const flows: FlowRow[] = [];
  const { config } = loadConfig({ env: {} });
  config.hotPath.track.max_flows = 1024;
  config.hotPath.identity.max_devices = 64;
  const { hotPath } = await buildHotPath({
    config,
    seed: 1,
    stage: 'all',
    knowledge,
    productVersion: 'test',
    output: { flow: (r) => flows.push(r), observation: (r) => rows.push(r) },
  });
  hotPath.process(batchOf(frames));
  hotPath.finish();
  return {
    controls: rows.filter((r) => r.kind === 'hl7.message').map((r) => String(r['sending_app'])),
    flow: flows[0]!,
    rows,
  };
}

const whole = [{ from: 0, to: STREAM.length }];
const ALL = ['MON0', 'MON1', 'MON2', 'MON3', 'MON4'];

describe('TCP streams to dissectors', () => {
  it('several messages in one segment', async () => {
    const { controls, flow } = await read(whole);
    expect(controls).toEqual(ALL);
    expect(flow).toMatchObject({ service: 'hl7', orig_bytes: STREAM.length, missed_bytes: 0 });
  });

  it('segmentation, repetition, overlap and order make no difference', async () => {
    const reference = JSON.stringify((await read(whole)).rows.map(({ ts: _ts, ...rest }) => rest));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: STREAM.length - 1 }), { maxLength: 12 }),
        fc.array(fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 3 }), fc.integer({ min: 0, max: 40 })), { maxLength: 6 }),
        async (cuts, changes) => {
          const edges = [0, ...cuts.sort((a, b) => a - b), STREAM.length];
          const pieces: Piece[] = edges.slice(1).map((to, i) => ({ from: edges[i]!, to }));
          for (const [at, kind, by] of changes) {
            const i = at % pieces.length;
            const piece = pieces[i]!;
            if (kind === 0) pieces.splice(i, 0, piece);
            // The first segment stays first: a stream that begins out of order is one picked up midway.
            else if (kind === 1 && i > 0 && i + 1 < pieces.length) pieces.splice(i, 2, pieces[i + 1]!, piece);
            else if (kind === 2) pieces[i] = { from: Math.max(0, piece.from - by), to: piece.to };
          }
          if (pieces[0]!.from !== 0 || pieces[0]!.to === 0) return;
          const { rows } = await read(pieces);
          expect(JSON.stringify(rows.map(({ ts: _ts, ...rest }) => rest))).toBe(reference);
        },
      ),
      { numRuns: 120, seed: 11 },
    );
  });

  it('a lost segment costs the message it was in, is counted, and the next message is found', async () => {
    const first = MESSAGES[0]!.length;
    const second = first + MESSAGES[1]!.length;
    const lost = first + 20;
    const { controls, flow } = await read([
      { from: 0, to: lost },
      { from: lost + 30, to: second },
      { from: second, to: STREAM.length },
    ]);
    expect(controls).toEqual(['MON0']);
    // Nothing says yet whether the hole is late or lost; the end of the flow does not invent messages.
    expect(flow.orig_bytes).toBe(STREAM.length);
  });

  it('gives a hole up when the receiver has acknowledged what lies beyond it', async () => {
    const first = MESSAGES[0]!.length;
    const second = first + MESSAGES[1]!.length;
    const frames = segments([
      { from: 0, to: first + 20 },
      { from: first + 50, to: second },
      { from: second, to: STREAM.length },
    ]);
    const acknowledgement = ethernet(
      B,
      A,
      0x0800,
      ipv4('10.0.0.2', '10.0.0.1', 6, tcp(9000, 40_000, FLAGS.ack, 500, 100 + STREAM.length)),
    );
    const { controls, flow } = await readFrames([...frames, { bytes: acknowledgement, tsUs: 1e9 + 50_000 }]);
    expect(controls).toEqual(['MON0', 'MON2', 'MON3', 'MON4']);
    expect(flow).toMatchObject({ missed_bytes: 30 });
    expect(flow.history).toContain('G');
  });

  it('bytes that the capture cut off are passed over and are no loss of the mirror', async () => {
    const first = MESSAGES[0]!.length;
    const frames = segments(whole);
    const cut = frames.map((f, i) =>
      i < 3 ? f : { ...f, bytes: f.bytes.subarray(0, 54 + first + 10), wireLen: f.bytes.length },
    );
    const { controls, flow } = await readFrames(cut);
    expect(controls).toEqual(['MON0']);
    expect(flow).toMatchObject({ missed_bytes: 0, orig_bytes: STREAM.length });
  });

  it('no word of a patient leaves the stream', async () => {
    const { rows } = await read(whole);
    expect(JSON.stringify(rows)).not.toMatch(/DOE|JANE|4711/);
  });
});
