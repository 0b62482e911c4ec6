import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowRow } from '../../src/kernel/rows.ts';
import { loadConfig } from '../../src/config/index.ts';
import { buildHotPath } from '../../src/app/build.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { FLAGS, batchOf, ethernet, hex, ipv4, tcp, udp } from '../support/frames.ts';
import type { FrameSpec } from '../support/frames.ts';

const A = '00:09:fb:01:02:03';
const B = '00:15:5d:0a:00:01';
const { fin, syn, rst, ack } = FLAGS;
const DATA = hex('0102030405');

async function flowsOf(frames: readonly FrameSpec[], maxFlows = 1024): Promise<FlowRow[]> {
  const rows: FlowRow[] = [];
  const { config } = loadConfig({ env: {} });
  config.hotPath.track.max_flows = maxFlows;
  config.hotPath.identity.max_devices = 64;
  const { hotPath } = await buildHotPath({
    config,
    seed: 1,
    stage: 'app',
    productVersion: 'test',
    output: { flow: (r) => rows.push(r) },
  });
  hotPath.process(batchOf(frames));
  hotPath.finish();
  return rows;
}

type Step = readonly [side: '>' | '<', flags: number, bytes?: number];

/** `>` from the client, `<` from the server; sequence numbers as a correct stack would send them. */
function conversation(steps: readonly Step[], startS = 1_000, stepS = 0.01): FrameSpec[] {
  let client = 100;
  let server = 500;
  return steps.map(([side, flags, bytes = 0], i) => {
    const payload = new Uint8Array(bytes).fill(65);
    const up = side === '>';
    const segment = up
      ? tcp(40_000, 2575, flags, client, server, payload)
      : tcp(2575, 40_000, flags, server, client, payload);
    const used = bytes + ((flags & (syn | fin)) !== 0 ? 1 : 0);
    if (up) client += used;
    else server += used;
    const packet = up ? ipv4('10.0.0.1', '10.0.0.2', 6, segment) : ipv4('10.0.0.2', '10.0.0.1', 6, segment);
    return {
      bytes: up ? ethernet(A, B, 0x0800, packet) : ethernet(B, A, 0x0800, packet),
      tsUs: (startS + i * stepS) * 1e6,
    };
  });
}

const handshake: readonly Step[] = [
  ['>', syn],
  ['<', syn | ack],
  ['>', ack],
];

describe('TCP states and history as Zeek writes them', () => {
  it.each<[string, readonly Step[], string, string]>([
    [
      'normal',
      [...handshake, ['>', ack, 5], ['<', ack, 7], ['>', fin | ack], ['<', fin | ack], ['>', ack]],
      'SF',
      'ShADdFf',
    ],
    [
      'no answer',
      [
        ['>', syn],
        ['>', syn],
      ],
      'S0',
      'S',
    ],
    [
      'refused',
      [
        ['>', syn],
        ['<', rst | ack],
      ],
      'REJ',
      'Sr',
    ],
    [
      'answered, nothing more',
      [
        ['>', syn],
        ['<', syn | ack],
      ],
      'S1',
      'Sh',
    ],
    ['client resets', [...handshake, ['>', ack, 5], ['>', rst]], 'RSTO', 'ShADR'],
    ['server resets', [...handshake, ['>', ack, 5], ['<', rst]], 'RSTR', 'ShADr'],
    [
      'half-open scan',
      [
        ['>', syn],
        ['<', syn | ack],
        ['>', rst],
      ],
      'RSTO',
      'ShR',
    ],
    ['client closes only', [...handshake, ['>', fin | ack]], 'S2', 'ShAF'],
    [
      'picked up midway',
      [
        ['>', ack, 5],
        ['<', ack, 7],
      ],
      'OTH',
      'Dd',
    ],
  ])('%s', async (_name, steps, state, history) => {
    const [flow, ...rest] = await flowsOf(conversation(steps));
    expect(rest).toEqual([]);
    expect(flow).toMatchObject({
      conn_state: state,
      history,
      'id.orig_h': '10.0.0.1',
      'id.resp_p': 2575,
      proto: 'tcp',
    });
  });

  it('knows the server of a flow that begins with its answer', async () => {
    const [flow] = await flowsOf(conversation(handshake).slice(1));
    expect(flow).toMatchObject({ 'id.orig_h': '10.0.0.1', 'id.resp_h': '10.0.0.2' });
    expect(flow!.history.startsWith('^h')).toBe(true);
  });

  it('counts bytes by sequence numbers: a retransmission is no second message', async () => {
    const frames = conversation([...handshake, ['>', ack, 10]]);
    const again = { bytes: frames[3]!.bytes, tsUs: frames[3]!.tsUs + 1000 };
    const [flow] = await flowsOf([...frames, again]);
    expect(flow).toMatchObject({ orig_bytes: 10, orig_pkts: 4, history: 'ShADT' });
  });

  it('begins a new flow when ports are used again', async () => {
    const steps = [...handshake, ['>', fin | ack], ['<', fin | ack]] as const;
    const rows = await flowsOf([...conversation(steps), ...conversation(steps, 1_002)]);
    expect(rows.map((r) => r.conn_state)).toEqual(['SF', 'SF']);
    expect(new Set(rows.map((r) => r.uid)).size).toBe(2);
  });
});

describe('other flows', () => {
  const packet = (srcPort: number, dstPort: number, back: boolean, s: number, vlan: number[] = []): FrameSpec => ({
    bytes: ethernet(
      back ? B : A,
      back ? A : B,
      0x0800,
      back
        ? ipv4('10.0.0.2', '10.0.0.1', 17, udp(srcPort, dstPort, DATA))
        : ipv4('10.0.0.1', '10.0.0.2', 17, udp(srcPort, dstPort, DATA)),
      ...vlan,
    ),
    tsUs: s * 1e6,
  });

  it('UDP: both ways, one way, and the time-out between', async () => {
    const rows = await flowsOf([
      packet(45_000, 46_000, false, 1),
      packet(46_000, 45_000, true, 2),
      packet(45_000, 46_000, false, 70),
    ]);
    expect(rows.map((r) => [r.conn_state, r.orig_bytes, r.resp_bytes])).toEqual([
      ['SF', 5, 5],
      ['S0', 5, 0],
    ]);
  });

  it('the same addresses in two VLANs are two flows', async () => {
    const rows = await flowsOf([packet(45_000, 46_000, false, 1, [10]), packet(45_000, 46_000, false, 2, [20])]);
    expect(rows.map((r) => r.vlan).sort()).toEqual([10, 20]);
    expect(new Set(rows.map((r) => r.community_id)).size).toBe(1);
  });

  it('a full table ends the flow nearest to its time-out and counts it', async () => {
    const frames = Array.from({ length: 3000 }, (_, i) => packet(50_000 + i, 46_000, false, 1 + i / 1000));
    const rows = await flowsOf(frames, 1024);
    expect(rows).toHaveLength(3000);
    expect(rows.reduce((n, r) => n + r.orig_pkts, 0)).toBe(3000);
  });

  it('conserves packets and bytes whatever the order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean(), fc.integer({ min: 0, max: 90 })), {
          minLength: 1,
          maxLength: 60,
        }),
        async (list) => {
          let t = 1;
          const frames = list.map(([port, back, pause]) =>
            packet(back ? 46_000 : 50_000 + port, back ? 50_000 + port : 46_000, back, (t += pause)),
          );
          const rows = await flowsOf(frames);
          expect(rows.reduce((n, r) => n + r.orig_pkts + r.resp_pkts, 0)).toBe(frames.length);
          expect(rows.reduce((n, r) => n + r.orig_bytes + r.resp_bytes, 0)).toBe(frames.length * DATA.length);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });
});

describeWithCaptures('Community ID', (dir) => {
  it('equals every published value that belongs to a flow here', async () => {
    interface Entry {
      proto: number;
      saddr: string;
      daddr: string;
      sport?: number;
      dport?: number;
      communityid: string;
    }
    const published = JSON.parse(readFileSync(`${dir}/standards/community-id/baseline_deflt.json`, 'utf8')) as Entry[];
    const wanted = new Set(published.map((e) => e.communityid));
    const got = new Set<string>();
    for (const file of ['icmp', 'rsvp', 'tcp', 'udp']) {
      const { config } = loadConfig({ env: {} });
      config.hotPath.track.max_flows = 1024;
      config.hotPath.identity.max_devices = 64;
      const { hotPath } = await buildHotPath({
        config,
        seed: 1,
        stage: 'flows',
        productVersion: 'test',
        output: { flow: (r) => got.add(r.community_id) },
      });
      for await (const batch of createFileSource(`${dir}/standards/community-id/${file}.pcap`).batches())
        hotPath.process(batch);
      hotPath.finish();
    }
    expect([...got].filter((id) => !wanted.has(id))).toEqual([]);
    expect(wanted.size - got.size).toBe(0);
  });
});
