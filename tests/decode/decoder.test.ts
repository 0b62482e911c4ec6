import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINK, PacketDecoder } from '../../src/decode/decoder.ts';
import { DECODE_EVENTS, EVENT, LAYER, createPacketColumns } from '../../src/decode/packets.ts';
import type { PacketColumns } from '../../src/decode/packets.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { FLAGS, arp, batchOf, concat, ethernet, hex, ipv4, ipv6, tcp, udp } from '../support/frames.ts';
import type { FrameSpec } from '../support/frames.ts';

const A = '00:09:fb:01:02:03';
const B = '00:15:5d:0a:00:01';
const PAYLOAD = hex('68656c6c6f');

function decode(...frames: (Uint8Array | FrameSpec)[]): PacketColumns {
  const specs = frames.map((f, i) => (f instanceof Uint8Array ? { bytes: f, tsUs: 1e9 + i } : f));
  const columns = createPacketColumns(specs.length);
  new PacketDecoder().decode(batchOf(specs), columns);
  return columns;
}

/** What a row says, in a form to compare. */
function row(p: PacketColumns, i = 0) {
  return {
    layer: p.layer[i],
    event: DECODE_EVENTS[p.event[i]!],
    src: p.srcOui[i]! * 0x1000000 + p.srcNic[i]!,
    vlan: p.vlan[i],
    vni: p.vni[i],
    ip: [...p.ip.subarray(i * 8, i * 8 + 8)],
    ports: [p.srcPort[i], p.dstPort[i]],
    payload: p.payLen[i],
  };
}

const plain = ipv4('10.0.0.1', '10.0.0.2', 17, udp(5000, 6000, PAYLOAD));
const words = [0, 0, 0, 0x0a000001, 0, 0, 0, 0x0a000002];
const expected = { layer: LAYER.udp, event: 'none', ip: words, ports: [5000, 6000], payload: 5 };

describe('link layers and mirror encapsulations', () => {
  it('reads Ethernet with addresses in halves', () => {
    const p = decode(ethernet(A, B, 0x0800, plain));
    expect(row(p)).toMatchObject({ ...expected, src: 0x0009fb010203, vlan: 0, vni: 0 });
    expect(p.dstOui[0]).toBe(0x00155d);
  });

  it.each([
    ['one tag', [220], 220],
    ['two tags', [10, 220], 10 | (220 << 12)],
    ['a priority tag names no VLAN', [0], 0],
    ['the priority bits are not part of the id', [0xe000 | 220], 220],
    ['three tags: outermost and innermost', [5, 6, 7], 5 | (7 << 12)],
  ])('802.1Q: %s', (_name, vlans, vlan) => {
    expect(row(decode(ethernet(A, B, 0x0800, plain, ...vlans)))).toMatchObject({ ...expected, vlan });
  });

  it('gives up on a tower of tags, keeping the link layer', () => {
    const p = decode(ethernet(A, B, 0x0800, plain, 1, 2, 3, 4, 5));
    expect(row(p)).toMatchObject({ layer: LAYER.link, event: 'nesting_too_deep' });
  });

  const inner = ethernet(A, B, 0x0800, plain, 220);
  const carrier = (port: number, body: Uint8Array): Uint8Array =>
    ethernet(
      '02:00:00:00:00:01',
      '02:00:00:00:00:02',
      0x0800,
      ipv4('192.0.2.1', '192.0.2.2', 17, udp(40_000, port, body)),
    );
  const gre = (body: Uint8Array): Uint8Array =>
    ethernet('02:00:00:00:00:01', '02:00:00:00:00:02', 0x0800, ipv4('192.0.2.1', '192.0.2.2', 47, body));

  it.each<[string, Uint8Array, number]>([
    ['VXLAN', carrier(4789, concat(hex('08000000 00138900'), inner)), 5001],
    ['GENEVE', carrier(6081, concat(hex('0000 6558 00138900'), inner)), 5001],
    ['GENEVE with options', carrier(6081, concat(hex('0200 6558 00138900 0000000000000000'), inner)), 5001],
    ['TZSP', carrier(37_008, concat(hex('01 00 0001 01'), inner)), 0],
    ['ERSPAN I', gre(concat(hex('0000 88be'), inner)), 0],
    ['ERSPAN II', gre(concat(hex('1000 88be 00000001 10dc 002a 00000000'), inner)), 42],
    ['ERSPAN III', gre(concat(hex('1000 22eb 00000001 20dc 002a 00000000 00000000'), inner)), 42],
    ['GRE with Ethernet and a key', gre(concat(hex('2000 6558 00138900'), inner)), 5001],
  ])('%s: the mirrored frame replaces its carrier', (_name, frame, vni) => {
    expect(row(decode(frame))).toMatchObject({ ...expected, src: 0x0009fb010203, vlan: 220, vni });
  });

  it('a source port of 4789 makes no VXLAN', () => {
    const frame = ethernet(
      A,
      B,
      0x0800,
      ipv4('10.0.0.1', '10.0.0.2', 17, udp(4789, 40_000, concat(hex('08000000 00138900'), inner))),
    );
    expect(row(decode(frame))).toMatchObject({ ports: [4789, 40_000], vni: 0 });
  });

  it.each<[string, number, Uint8Array]>([
    ['raw IP', LINK.raw, plain],
    ['IPv4', LINK.ipv4, plain],
    ['BSD null, little endian', LINK.null, concat(hex('02000000'), plain)],
    ['BSD loop, big endian', LINK.loop, concat(hex('00000002'), plain)],
    ['Linux cooked', LINK.linuxSll, concat(hex('0000 0001 0006 0009fb010203 0000 0800'), plain)],
    ['Linux cooked v2', LINK.linuxSll2, concat(hex('0800 0000 00000002 0001 00 06 0009fb010203 0000'), plain)],
    ['PPP', LINK.ppp, concat(hex('ff03 0021'), plain)],
    ['PPP, compressed protocol', LINK.ppp, concat(hex('21'), plain)],
    ['Cisco HDLC', LINK.cHdlc, concat(hex('0f00 0800'), plain)],
  ])('%s', (_name, linkType, bytes) => {
    expect(row(decode({ bytes, linkType, tsUs: 1e9 }))).toMatchObject(expected);
  });

  it.each<[string, Uint8Array]>([
    ['PPPoE', ethernet(A, B, 0x8864, concat(hex('11 00 0001 0000 0021'), plain))],
    ['MPLS', ethernet(A, B, 0x8847, concat(hex('00010040 00011140'), plain))],
    ['LLC/SNAP', ethernet(A, B, 8 + plain.length, concat(hex('aaaa03 000000 0800'), plain))],
    ['IP in IP', ethernet(A, B, 0x0800, ipv4('192.0.2.1', '192.0.2.2', 4, plain))],
    ['GRE', gre(concat(hex('0000 0800'), plain))],
  ])('%s', (_name, frame) => {
    expect(row(decode(frame))).toMatchObject(expected);
  });

  it('counts what it does not know instead of guessing', () => {
    const p = decode({ bytes: plain, linkType: 147, tsUs: 1e9 });
    expect(row(p)).toMatchObject({ layer: LAYER.none, event: 'unknown_link_type' });
  });
});

describe('network and transport', () => {
  it('reads ARP: sender and target', () => {
    const p = decode(ethernet(A, 'ff:ff:ff:ff:ff:ff', 0x0806, arp(1, A, '10.0.0.1', '00:00:00:00:00:00', '10.0.0.2')));
    expect(row(p)).toMatchObject({ layer: LAYER.arp, ip: words, ports: [1, 0] });
  });

  it('reads IPv6 behind extension headers', () => {
    const body = concat(hex('3c00 0000 0000 0000'), hex('1100 0000 0000 0000'), udp(5000, 6000, PAYLOAD));
    const p = decode(ethernet(A, B, 0x86dd, ipv6('2001:db8:0:0:0:0:0:1', '2001:db8:0:0:0:0:0:2', 0, body)));
    expect(row(p)).toMatchObject({
      layer: LAYER.udp,
      ports: [5000, 6000],
      ip: [0x20010db8, 0, 0, 1, 0x20010db8, 0, 0, 2],
    });
  });

  it('takes the length from the IP header, not from the padded frame', () => {
    const padded = concat(
      ethernet(A, B, 0x0800, ipv4('10.0.0.1', '10.0.0.2', 6, tcp(1, 2, FLAGS.ack, 5, 6))),
      new Uint8Array(6),
    );
    expect(row(decode(padded))).toMatchObject({ layer: LAYER.tcp, payload: 0 });
  });

  it('says how much of a cut payload was on the wire', () => {
    const whole = ethernet(A, B, 0x0800, ipv4('10.0.0.1', '10.0.0.2', 17, udp(1, 2, new Uint8Array(100))));
    const p = decode(whole.subarray(0, 60));
    expect([p.payLen[0], p.payWire[0]]).toEqual([18, 100]);
  });

  it('puts fragments together in any order, first copy wins, overlaps are refused', () => {
    const datagram = udp(
      5000,
      6000,
      Uint8Array.from({ length: 40 }, (_, i) => i),
    );
    const part = (from: number, to: number, more: boolean, id = 9): Uint8Array =>
      ethernet(
        A,
        B,
        0x0800,
        ipv4('10.0.0.1', '10.0.0.2', 17, datagram.subarray(from, to), {
          id,
          fragment: (more ? 0x2000 : 0) | (from / 8),
        }),
      );
    const p = decode(part(32, 48, false), part(0, 16, true), part(0, 16, true), part(16, 32, true));
    expect(row(p, 3)).toMatchObject({ layer: LAYER.udp, ports: [5000, 6000], payload: 40 });
    expect([...p.scratch.subarray(p.payOff[3], p.payOff[3]! + 40)]).toEqual([...datagram.subarray(8)]);
    const overlapping = decode(part(0, 16, true, 7), part(8, 24, true, 7));
    expect(overlapping.event[1]).toBe(EVENT.fragment_overlap);
  });
});

describe('hostile input', () => {
  const seeds = [
    ethernet(A, B, 0x0800, plain, 220),
    ethernet(A, B, 0x0800, ipv4('10.0.0.1', '10.0.0.2', 6, tcp(1, 2, FLAGS.syn, 5, 0, PAYLOAD))),
    ethernet(
      A,
      B,
      0x86dd,
      ipv6('2001:db8:0:0:0:0:0:1', '2001:db8:0:0:0:0:0:2', 17, udp(1, 4789, hex('08000000 00138900'))),
    ),
    ethernet(A, B, 0x0800, ipv4('192.0.2.1', '192.0.2.2', 47, hex('1000 88be 00000001 10dc 002a 00000000'))),
    ethernet(A, B, 0x0806, arp(2, A, '10.0.0.1', B, '10.0.0.2')),
    ethernet(A, B, 0x8847, hex('00010040 00011140 45')),
  ];

  it('never throws and never depends on bytes outside the frame', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
        fc.nat(),
        fc.constantFrom(0, 1, 9, 12, 50, 101, 104, 108, 113, 228, 229, 276),
        (seed, changes, cut, linkType) => {
          const bytes = Uint8Array.from(seed);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const frame = bytes.subarray(0, cut % (bytes.length + 1));
          const between = (filler: number): unknown[] => {
            const columns = createPacketColumns(3);
            const poison = { bytes: new Uint8Array(64).fill(filler), tsUs: 1, linkType: 147 };
            new PacketDecoder().decode(batchOf([poison, { bytes: frame, tsUs: 2, linkType }, poison]), columns);
            const r = row(columns, 1);
            // Columns of a layer that was not reached are left as they were.
            return [r.layer, r.event, r.vlan, r.vni, r.payload];
          };
          expect(between(0xff)).toEqual(between(0x00));
        },
      ),
      { numRuns: 3000, seed: 20_261_121 },
    );
  });

  describeWithCaptures('captures that once broke others', (dir) => {
    it('are decoded without a throw, each frame as something or with a reason', async () => {
      const decoder = new PacketDecoder();
      const columns = createPacketColumns(8192);
      let frames = 0;
      for (const file of [
        'tcpdump/cve2015-0261-crash.pcap',
        'ndpi/fuzz-2006-06-26-2594.pcap',
        'suricata/decode-too-small.pcap',
      ]) {
        for await (const batch of createFileSource(`${dir}/malformed/${file}`).batches()) {
          decoder.decode(batch, columns);
          for (let i = 0; i < batch.count; i++) {
            frames++;
            if (columns.layer[i] === LAYER.none) expect(columns.event[i]).not.toBe(0);
          }
        }
      }
      expect(frames).toBeGreaterThanOrEqual(700);
    });
  });
});
