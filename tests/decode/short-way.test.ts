import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINK, PacketDecoder } from '../../src/decode/decoder.ts';
import { LAYER, createPacketColumns } from '../../src/decode/packets.ts';
import { FLAGS, batchOf, concat, ethernet, ipv4, tcp, udp } from '../support/frames.ts';

const A = '00:09:fb:01:02:03';
const B = '00:15:5d:0a:00:01';
const ETHERNET_BYTES = 14;
const COOKED_BYTES = 16;

/** What the row says, but for addresses of the link and with offsets counted from the end of the link's header. */
function decode(frame: Uint8Array, linkType: number, headerBytes: number): Record<string, unknown> {
  const p = createPacketColumns(1);
  const decoder = new PacketDecoder();
  decoder.decode(batchOf([{ bytes: frame, tsUs: 1e15, linkType }]), p);
  const layer = p.layer[0]!;
  const hasPayload = p.payLen[0]! > 0 && p.reassembled[0] === 0;
  return {
    layer,
    event: p.event[0],
    events: [...decoder.eventCounts],
    vlan: p.vlan[0],
    vni: p.vni[0],
    etherType: p.etherType[0],
    ipVersion: p.ipVersion[0],
    ipProto: p.ipProto[0],
    tcpFlags: p.tcpFlags[0],
    payLen: p.payLen[0],
    payWire: p.payWire[0],
    reassembled: p.reassembled[0],
    ...(hasPayload ? { payOff: p.payOff[0]! - headerBytes } : {}),
    ...(p.ipVersion[0] === 0 ? {} : { ip: [...p.ip] }),
    ...(layer >= LAYER.tcp && layer <= LAYER.sctp
      ? { ports: [p.srcPort[0], p.dstPort[0]], ttl: p.ttl[0], ipLen: p.ipLen[0], l4: p.l4Off[0]! - headerBytes }
      : {}),
    ...(layer === LAYER.tcp ? { tcp: [p.tcpSeq[0], p.tcpAck[0], p.tcpWindow[0]] } : {}),
  };
}

const ports = fc.constantFrom(53, 2575, 4789, 6081, 37_008, 2152, 65_535);
const payloads = fc.uint8Array({ maxLength: 60 });
const packets = fc.oneof(
  fc
    .tuple(ports, ports, payloads)
    .map(([a, b, said]) => ipv4('10.0.0.1', '10.0.0.2', 6, tcp(a, b, FLAGS.ack, 7, 9, said))),
  fc.tuple(ports, ports, payloads).map(([a, b, said]) => ipv4('10.0.0.1', '10.0.0.2', 17, udp(a, b, said))),
);
const tags = fc.array(fc.constantFrom(0, 220, 0xe000 | 220), { maxLength: 2 });
/** Bytes changed, so that lengths, options, fragments and protocols are wrong or odd in every way. */
const changes = fc.array(fc.tuple(fc.nat({ max: 63 }), fc.nat({ max: 255 })), { maxLength: 3 });

describe('the short way of decoding', () => {
  it('gives the rows that the long way gives', () => {
    fc.assert(
      fc.property(packets, tags, changes, fc.option(fc.nat({ max: 90 })), (packet, vlans, changed, cut) => {
        const frame = ethernet(A, B, 0x0800, packet, ...vlans);
        for (const [at, byte] of changed) if (ETHERNET_BYTES + at < frame.length) frame[ETHERNET_BYTES + at] = byte;
        const short = cut === null ? frame : frame.subarray(0, Math.max(ETHERNET_BYTES, cut));
        // The same behind another link layer's header, which only the long way knows.
        const cooked = concat(new Uint8Array(COOKED_BYTES - 2), short.subarray(12));
        expect(decode(short, LINK.ethernet, ETHERNET_BYTES)).toEqual(decode(cooked, LINK.linuxSll, COOKED_BYTES));
      }),
      { seed: 20_261_122, numRuns: 5000 },
    );
  });
});
