/** The rows of the Kitsune Mirai capture as frames: headers made from the columns, payload left out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createFrameBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';

export interface Row {
  readonly tsUs: number;
  readonly length: number;
  readonly src: string;
  readonly dst: string;
  readonly arp:
    | { readonly op: number; readonly senderIp: string; readonly targetMac: string; readonly targetIp: string }
    | undefined;
  /** Empty where there is none. */
  readonly srcIp: string;
  readonly dstIp: string;
  readonly proto: 'tcp' | 'udp' | 'icmp' | 'other';
  readonly srcPort: number;
  readonly dstPort: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly post: boolean;
  readonly labelTime: boolean;
  readonly labelContent: boolean;
}

/** The hole between the two parts of the capture, seconds: the column `t` has it closed. */
export const HOLE_US = 3_085_945_985;

export function readRows(folder: string): Row[] {
  const text = gunzipSync(readFileSync(join(folder, 'mirai-part.tsv.gz'))).toString('latin1');
  const lines = text.split('\n');
  const names = lines[0]!.split('\t');
  const at = (name: string): number => names.indexOf(name);
  const column = {
    t: at('t'),
    length: at('frame_len'),
    src: at('eth_src'),
    dst: at('eth_dst'),
    ip4s: at('ip_src'),
    ip4d: at('ip_dst'),
    ip6s: at('ipv6_src'),
    ip6d: at('ipv6_dst'),
    ts: at('tcp_srcport'),
    td: at('tcp_dstport'),
    us: at('udp_srcport'),
    ud: at('udp_dstport'),
    it: at('icmp_type'),
    ic: at('icmp_code'),
    op: at('arp_opcode'),
    as: at('arp_src_proto_ipv4'),
    am: at('arp_dst_hw_mac'),
    at: at('arp_dst_proto_ipv4'),
    segment: at('segment'),
    lt: at('label_time'),
    lc: at('label_content'),
  };
  const rows: Row[] = [];
  for (let n = 1; n < lines.length; n++) {
    const c = lines[n]!.split('\t');
    if (c.length < names.length) continue;
    const cell = (i: number): string => c[i] ?? '';
    const icmp = cell(column.it) !== '';
    const tcp = !icmp && cell(column.ts) !== '';
    const udp = !icmp && cell(column.us) !== '';
    rows.push({
      tsUs: Math.round(Number(cell(column.t)) * 1e6),
      length: Number(cell(column.length)),
      src: cell(column.src),
      dst: cell(column.dst),
      arp:
        cell(column.op) === ''
          ? undefined
          : {
              op: Number(cell(column.op)),
              senderIp: cell(column.as),
              targetMac: cell(column.am),
              targetIp: cell(column.at),
            },
      srcIp: cell(column.ip4s) || cell(column.ip6s),
      dstIp: cell(column.ip4d) || cell(column.ip6d),
      proto: icmp ? 'icmp' : tcp ? 'tcp' : udp ? 'udp' : 'other',
      srcPort: tcp || udp ? Number(cell(tcp ? column.ts : column.us)) : 0,
      dstPort: tcp || udp ? Number(cell(tcp ? column.td : column.ud)) : 0,
      icmpType: Number(cell(column.it)),
      icmpCode: Number(cell(column.ic)),
      post: cell(column.segment) === 'post',
      labelTime: cell(column.lt) === '1',
      labelContent: cell(column.lc) === '1',
    });
  }
  return rows;
}

interface Connection {
  /** The side that sent first: its address and port. */
  readonly first: string;
  readonly isSyn: boolean;
  answered: boolean;
  lastUs: number;
  /** Next sequence number of the first side, and of the other. */
  readonly next: [number, number];
}

/**
 * Makes frames of rows, in their order. The table has no TCP flags and no payload: the first segment of a connection is
 * written as SYN where it is no longer than a header, its first answer as SYN-ACK, everything else as ACK.
 */
export function createFrameMaker(): (row: Row, index: number) => FrameBatch {
  const connections = new Map<string, Connection>();
  const buffer = new Uint8Array(128);

  function tcpFlags(row: Row, payload: number): { flags: number; seq: number; ack: number } {
    const a = `${row.srcIp}:${row.srcPort}`;
    const b = `${row.dstIp}:${row.dstPort}`;
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    let connection = connections.get(key);
    if (connection === undefined || row.tsUs - connection.lastUs > 120e6) {
      connection = { first: a, isSyn: payload === 0, answered: false, lastUs: 0, next: [1, 1] };
      connections.set(key, connection);
    }
    connection.lastUs = row.tsUs;
    const side = connection.first === a ? 0 : 1;
    const opening = connection.isSyn && !connection.answered && payload === 0;
    if (opening && side === 0) return { flags: 0x02, seq: 0, ack: 0 };
    if (side === 1 && !connection.answered) {
      connection.answered = true;
      if (opening) return { flags: 0x12, seq: 0, ack: 1 };
    }
    const seq = connection.next[side];
    connection.next[side] += payload;
    return { flags: payload > 0 ? 0x18 : 0x10, seq, ack: connection.next[1 - side]! };
  }

  return (row, index) => {
    const b = buffer.fill(0);
    const view = new DataView(b.buffer);
    putMac(b, 0, row.dst);
    putMac(b, 6, row.src);
    let end = 60;
    if (row.arp !== undefined) {
      b.set([8, 6, 0, 1, 8, 0, 6, 4, 0, row.arp.op], 12);
      putMac(b, 22, row.src);
      putIp4(b, 28, row.arp.senderIp);
      putMac(b, 32, row.arp.targetMac);
      putIp4(b, 38, row.arp.targetIp);
      end = 42;
    } else if (row.srcIp === '') {
      // Spanning tree and the loop test of a switch.
      view.setUint16(12, row.dst.startsWith('01:80:c2') ? 38 : 0x9000);
      b.set([0x42, 0x42, 3], 14);
      end = 17;
    } else {
      const v6 = row.srcIp.includes(':');
      const l4 = v6 ? 54 : 34;
      const number = row.proto === 'tcp' ? 6 : row.proto === 'udp' ? 17 : row.proto === 'icmp' ? 1 : v6 ? 58 : 2;
      // A frame of 60 bytes is filled up: a TCP segment in it is a header.
      let segment = Math.max(8, row.length - l4);
      if (row.proto === 'tcp' && row.length <= 60) segment = 20;
      view.setUint16(12, v6 ? 0x86dd : 0x0800);
      if (v6) {
        b[14] = 0x60;
        view.setUint16(18, segment);
        b[20] = number;
        b[21] = 64;
        putIp6(view, 22, row.srcIp);
        putIp6(view, 38, row.dstIp);
      } else {
        b[14] = 0x45;
        view.setUint16(16, 20 + segment);
        b[22] = 64;
        b[23] = number;
        putIp4(b, 26, row.srcIp);
        putIp4(b, 30, row.dstIp);
      }
      if (row.proto === 'tcp' || row.proto === 'udp') {
        view.setUint16(l4, row.srcPort);
        view.setUint16(l4 + 2, row.dstPort);
      }
      end = l4 + 8;
      if (row.proto === 'tcp') {
        const header = segment <= 44 && segment % 4 === 0 ? segment : 20;
        const { flags, seq, ack } = tcpFlags(row, segment - header);
        view.setUint32(l4 + 4, seq);
        view.setUint32(l4 + 8, ack);
        b[l4 + 12] = (header / 4) << 4;
        b[l4 + 13] = flags;
        view.setUint16(l4 + 14, 65_535);
        b.fill(1, l4 + 20, l4 + header);
        end = l4 + header;
      } else if (v6 && row.proto === 'other') b[l4] = neighbourDiscovery(row.dstIp, segment);
      else if (row.proto === 'udp') view.setUint16(l4 + 4, segment);
      else if (row.proto === 'icmp') {
        b[l4] = row.icmpType;
        b[l4 + 1] = row.icmpCode;
      }
    }
    const batch = createFrameBatch(1, b.slice(0, end));
    batch.capLen[0] = end;
    batch.wireLen[0] = Math.max(end, row.length);
    batch.tsUs[0] = row.tsUs;
    batch.linkType[0] = 1;
    batch.count = 1;
    batch.origin = 'mirai-part.tsv';
    batch.firstFrame = index;
    return batch;
  };
}

/** The table has no ICMPv6 types; groups and lengths of neighbour discovery tell them apart (RFC 4861, section 4). */
function neighbourDiscovery(group: string, segment: number): number {
  if (group.startsWith('ff02::1:ff')) return 135;
  if (group === 'ff02::2') return 133;
  return segment > 32 ? 134 : 136;
}

function putMac(b: Uint8Array, o: number, text: string): void {
  for (let i = 0; i < 6; i++) b[o + i] = Number.parseInt(text.slice(i * 3, i * 3 + 2), 16);
}

function putIp4(b: Uint8Array, o: number, text: string): void {
  b.set(text.split('.').map(Number), o);
}

function putIp6(view: DataView, o: number, text: string): void {
  const [head = '', tail] = text.split('::');
  const words = (part: string): number[] => (part === '' ? [] : part.split(':').map((w) => Number.parseInt(w, 16)));
  const before = words(head);
  const after = words(tail ?? '');
  for (const [i, word] of before.entries()) view.setUint16(o + i * 2, word);
  for (const [i, word] of after.entries()) view.setUint16(o + (8 - after.length + i) * 2, word);
}
