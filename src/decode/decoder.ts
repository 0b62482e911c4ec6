import type { FrameBatch } from '../kernel/frames.ts';
import { DECODE_EVENTS, EVENT, LAYER } from './packets.ts';
import type { PacketColumns } from './packets.ts';
import { FragmentTable, PENDING, REFUSED } from './network/reassembly.ts';

/** Link types of the tcpdump registry that are understood. */
export const LINK = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  raw: 101,
  rawBsd: 12,
  rawOpenBsd: 14,
  pppHdlc: 50,
  cHdlc: 104,
  loop: 108,
  linuxSll: 113,
  ipv4: 228,
  ipv6: 229,
  linuxSll2: 276,
} as const;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_QINQ = 0x88a8;
const ETHERTYPE_QINQ_OLD = 0x9100;
const ETHERTYPE_QINQ_OLDER = 0x9200;
const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPE_MPLS = 0x8847;
const ETHERTYPE_MPLS_MULTICAST = 0x8848;
const ETHERTYPE_PPPOE_SESSION = 0x8864;
const ETHERTYPE_LLDP = 0x88cc;
const ETHERTYPE_ERSPAN_2 = 0x88be;
const ETHERTYPE_ERSPAN_3 = 0x22eb;
const ETHERTYPE_BRIDGED = 0x6558;
/** Not an EtherType on the wire: how this decoder marks CDP, which comes in SNAP with Cisco's OUI. */
export const ETHERTYPE_CDP = 0x2000;
export { ETHERTYPE_LLDP };

/** Mirrors inside mirrors, tunnels inside tunnels: more than this is an attack on the decoder. */
const MAX_NESTING = 6;
const MAX_VLAN_TAGS = 4;
const MAX_IPV6_EXTENSIONS = 8;

/** Ethernet, one VLAN tag, IPv4 without options and the ports: what the short way of decoding reads unasked. */
const USUAL_BYTES = 14 + 4 + 20 + 8;

export interface DecoderOptions {
  /** GTP-U carries mobile users' traffic, which no clinical mirror should hold: off by default. */
  gtpU: boolean;
  /** Datagrams that may be in reassembly at the same time. */
  maxFragmentedDatagrams: number;
}

export const defaultDecoderOptions: DecoderOptions = { gtpU: false, maxFragmentedDatagrams: 128 };

/**
 * Turns frames into packet columns: link, mirror and tunnel encapsulations, network, transport.
 *
 * Malformed input is data: decoding stops at the first byte that cannot be trusted, the row keeps what was
 * right before and names the event. Nothing is read outside the captured bytes of a frame; nothing throws.
 */
export class PacketDecoder {
  /** Rows per decode event since the start, by index into DECODE_EVENTS. */
  readonly eventCounts = new Float64Array(DECODE_EVENTS.length);
  readonly fragments: FragmentTable;
  readonly #options: DecoderOptions;
  #scratch = new Uint8Array(65536);
  #scratchUsed = 0;

  constructor(options: DecoderOptions = defaultDecoderOptions) {
    this.#options = options;
    this.fragments = new FragmentTable(options.maxFragmentedDatagrams);
  }

  /**
   * Decodes rows `from` to `to - 1` of the batch (all of it by default) into the same rows of `out`, whose
   * capacity must be at least `batch.count`. Reassembled datagrams are valid until the next call.
   */
  decode(batch: FrameBatch, out: PacketColumns, from = 0, to = batch.count): void {
    this.#scratchUsed = 0;
    this.#decodeUsual(batch, out, from, to);
    out.count = to;
    if (out.scratch !== this.#scratch) {
      out.scratch = this.#scratch;
      out.scratchView = new DataView(this.#scratch.buffer);
    }
  }

  /**
   * What nearly every frame of a mirror is (Ethernet, at most one tag, IPv4 without options or fragments, TCP or
   * UDP, sound lengths) is decoded here, in one loop over columns held in locals; every other frame goes the long
   * way, which gives the same rows (tests/decode holds both against each other).
   */
  #decodeUsual(batch: FrameBatch, out: PacketColumns, from: number, to: number): void {
    const { bytes, view, offset, capLen, linkType, tsUs } = batch;
    const { layer, event, hasMac, srcOui, srcNic, dstOui, dstNic, vlan, vni, etherType, ipVersion, ip, ipProto } = out;
    const { ttl, ipLen, srcPort, dstPort, tcpFlags, tcpSeq, tcpAck, tcpWindow, l4Off, payOff, payLen, payWire } = out;
    const reassembled = out.reassembled;
    for (let i = from; i < to; i++) {
      const start = offset[i]!;
      const captured = capLen[i]!;
      const end = start + captured;
      if (captured >= USUAL_BYTES && linkType[i] === LINK.ethernet) {
        let o = start + 14;
        let type = view.getUint16(start + 12);
        let tag = 0;
        if (type === ETHERTYPE_VLAN) {
          tag = view.getUint16(o) & 0xfff;
          type = view.getUint16(o + 2);
          o += 4;
        }
        if (type === ETHERTYPE_IPV4 && bytes[o] === 0x45 && (view.getUint16(o + 6) & 0x3fff) === 0) {
          const l4 = o + 20;
          const declared = view.getUint16(o + 2);
          const total = declared === 0 ? end - o : declared;
          const wireEnd = o + total;
          const dataEnd = wireEnd < end ? wireEnd : end;
          const proto = bytes[o + 9]!;
          const ports = view.getUint32(l4);
          let found: number = LAYER.none;
          let payload = 0;
          let payloadEnd = dataEnd;
          let wire = 0;
          if (proto === 6 && dataEnd - l4 >= 20) {
            const headerLen = (bytes[l4 + 12]! >> 4) * 4;
            if (headerLen >= 20 && headerLen <= wireEnd - l4) {
              found = LAYER.tcp;
              payload = l4 + headerLen;
              wire = wireEnd - payload;
              tcpSeq[i] = view.getUint32(l4 + 4);
              tcpAck[i] = view.getUint32(l4 + 8);
              tcpFlags[i] = bytes[l4 + 13]!;
              tcpWindow[i] = view.getUint16(l4 + 14);
            }
          } else if (proto === 17 && dataEnd - l4 >= 8) {
            const length = view.getUint16(l4 + 4);
            if (length >= 8 && length <= wireEnd - l4 && !this.#isTunnel(ports & 0xffff)) {
              found = LAYER.udp;
              payload = l4 + 8;
              wire = length - 8;
              if (payload + wire < dataEnd) payloadEnd = payload + wire;
              tcpFlags[i] = 0;
            }
          }
          if (found !== LAYER.none) {
            layer[i] = found;
            event[i] = 0;
            hasMac[i] = 1;
            reassembled[i] = 0;
            const w0 = view.getUint32(start);
            const w1 = view.getUint32(start + 4);
            const w2 = view.getUint32(start + 8);
            dstOui[i] = w0 >>> 8;
            dstNic[i] = ((w0 & 0xff) << 16) | (w1 >>> 16);
            srcOui[i] = ((w1 & 0xffff) << 8) | (w2 >>> 24);
            srcNic[i] = w2 & 0xffffff;
            vlan[i] = tag;
            vni[i] = 0;
            etherType[i] = ETHERTYPE_IPV4;
            ipVersion[i] = 4;
            const at = i * 8;
            ip[at] = 0;
            ip[at + 1] = 0;
            ip[at + 2] = 0;
            ip[at + 3] = view.getUint32(o + 12);
            ip[at + 4] = 0;
            ip[at + 5] = 0;
            ip[at + 6] = 0;
            ip[at + 7] = view.getUint32(o + 16);
            ipProto[i] = proto;
            ttl[i] = bytes[o + 8]!;
            ipLen[i] = total;
            l4Off[i] = l4;
            srcPort[i] = ports >>> 16;
            dstPort[i] = ports & 0xffff;
            payOff[i] = payload;
            payLen[i] = payloadEnd > payload ? payloadEnd - payload : 0;
            payWire[i] = wire;
            continue;
          }
        }
      }
      clearRow(out, i);
      this.#frame(bytes, view, start, end, linkType[i]!, out, i, tsUs[i]!);
      const what = event[i]!;
      if (what !== 0) this.eventCounts[what]!++;
    }
  }

  /** UDP destination ports behind which another frame may lie. */
  #isTunnel(port: number): boolean {
    return port === 4789 || port === 6081 || port === 37008 || (port === 2152 && this.#options.gtpU);
  }

  #frame(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    linkType: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
  ): void {
    if (start >= end) {
      out.event[i] = EVENT.empty_frame;
      return;
    }
    switch (linkType) {
      case LINK.ethernet:
        this.#ethernet(bytes, view, start, end, out, i, tsUs, 0);
        return;
      case LINK.linuxSll:
        if (end - start < 16) break;
        if (view.getUint16(start + 4) === 6) {
          out.hasMac[i] = 1;
          out.srcOui[i] = (bytes[start + 6]! << 16) | (bytes[start + 7]! << 8) | bytes[start + 8]!;
          out.srcNic[i] = (bytes[start + 9]! << 16) | (bytes[start + 10]! << 8) | bytes[start + 11]!;
        }
        this.#etherType(bytes, view, view.getUint16(start + 14), start + 16, end, out, i, tsUs, 0);
        return;
      case LINK.linuxSll2:
        if (end - start < 20) break;
        if (bytes[start + 11] === 6) {
          out.hasMac[i] = 1;
          out.srcOui[i] = (bytes[start + 12]! << 16) | (bytes[start + 13]! << 8) | bytes[start + 14]!;
          out.srcNic[i] = (bytes[start + 15]! << 16) | (bytes[start + 16]! << 8) | bytes[start + 17]!;
        }
        this.#etherType(bytes, view, view.getUint16(start), start + 20, end, out, i, tsUs, 0);
        return;
      case LINK.raw:
      case LINK.rawBsd:
      case LINK.rawOpenBsd:
      case LINK.ipv4:
      case LINK.ipv6:
        this.#ip(bytes, view, start, end, out, i, tsUs, 0);
        return;
      case LINK.null:
      case LINK.loop: {
        if (end - start < 4) break;
        // The family is in the byte order of the capturing host; only its value tells IP from the rest.
        const family = bytes[start]! | bytes[start + 3]!;
        out.layer[i] = LAYER.link;
        if (family === 2 || family === 24 || family === 28 || family === 30 || family === 10 || family === 23)
          this.#ip(bytes, view, start + 4, end, out, i, tsUs, 0);
        return;
      }
      case LINK.ppp:
      case LINK.pppHdlc:
        this.#ppp(bytes, view, start, end, out, i, tsUs, 0);
        return;
      case LINK.cHdlc:
        if (end - start < 4) break;
        this.#etherType(bytes, view, view.getUint16(start + 2), start + 4, end, out, i, tsUs, 0);
        return;
      default:
        out.event[i] = EVENT.unknown_link_type;
        return;
    }
    out.event[i] = EVENT.truncated_link;
  }

  #ethernet(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (end - o < 14) {
      out.event[i] = EVENT.truncated_link;
      return;
    }
    out.hasMac[i] = 1;
    const w0 = view.getUint32(o);
    const w1 = view.getUint32(o + 4);
    const w2 = view.getUint32(o + 8);
    out.dstOui[i] = w0 >>> 8;
    out.dstNic[i] = ((w0 & 0xff) << 16) | (w1 >>> 16);
    out.srcOui[i] = ((w1 & 0xffff) << 8) | (w2 >>> 24);
    out.srcNic[i] = w2 & 0xffffff;
    this.#etherType(bytes, view, view.getUint16(o + 12), o + 14, end, out, i, tsUs, depth);
  }

  #etherType(
    bytes: Uint8Array,
    view: DataView,
    etherType: number,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    out.layer[i] = LAYER.link;
    let type = etherType;
    let tags = 0;
    while (
      type === ETHERTYPE_VLAN ||
      type === ETHERTYPE_QINQ ||
      type === ETHERTYPE_QINQ_OLD ||
      type === ETHERTYPE_QINQ_OLDER
    ) {
      if (end - o < 4) {
        out.event[i] = EVENT.truncated_vlan;
        return;
      }
      if (++tags > MAX_VLAN_TAGS) {
        out.event[i] = EVENT.nesting_too_deep;
        return;
      }
      // Id 0 is a priority tag and names no VLAN (IEEE 802.1Q 9.6).
      const id = view.getUint16(o) & 0xfff;
      if (id !== 0) out.vlan[i] = out.vlan[i] === 0 ? id : (out.vlan[i]! & 0xfff) | (id << 12);
      type = view.getUint16(o + 2);
      o += 4;
    }
    out.etherType[i] = type;
    switch (type) {
      case ETHERTYPE_IPV4:
        this.#ipv4(bytes, view, o, end, out, i, tsUs, depth);
        return;
      case ETHERTYPE_IPV6:
        this.#ipv6(bytes, view, o, end, out, i, tsUs, depth);
        return;
      case ETHERTYPE_ARP:
        arp(bytes, view, o, end, out, i);
        return;
      case ETHERTYPE_LLDP:
        payload(out, i, LAYER.control, o, end, end - o);
        return;
      case ETHERTYPE_MPLS:
      case ETHERTYPE_MPLS_MULTICAST:
        this.#mpls(bytes, view, o, end, out, i, tsUs, depth);
        return;
      case ETHERTYPE_PPPOE_SESSION:
        if (end - o < 6) out.event[i] = EVENT.truncated_pppoe;
        else this.#ppp(bytes, view, o + 6, end, out, i, tsUs, depth);
        return;
      case ETHERTYPE_BRIDGED:
        if (depth >= MAX_NESTING) out.event[i] = EVENT.nesting_too_deep;
        else this.#ethernet(bytes, view, o, end, out, i, tsUs, depth + 1);
        return;
      default:
        if (type <= 1500) this.#llc(bytes, view, o, Math.min(end, o + type), out, i, tsUs, depth);
    }
  }

  /** IEEE 802.2 LLC, SNAP (RFC 1042). */
  #llc(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (end - o < 3) {
      out.event[i] = EVENT.truncated_llc;
      return;
    }
    if (bytes[o] !== 0xaa || bytes[o + 1] !== 0xaa) return;
    if (end - o < 8) {
      out.event[i] = EVENT.truncated_llc;
      return;
    }
    const oui = (bytes[o + 3]! << 16) | (bytes[o + 4]! << 8) | bytes[o + 5]!;
    const type = view.getUint16(o + 6);
    if (oui === 0) {
      if (type > 1500) this.#etherType(bytes, view, type, o + 8, end, out, i, tsUs, depth);
    } else if (oui === 0x00000c && type === ETHERTYPE_CDP) {
      out.etherType[i] = ETHERTYPE_CDP;
      payload(out, i, LAYER.control, o + 8, end, end - o - 8);
    }
  }

  /** MPLS label stack (RFC 3032); what follows is told by its first nibble, as routers do (RFC 4928). */
  #mpls(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    for (let labels = 0; labels < 8; labels++) {
      if (end - o < 4) {
        out.event[i] = EVENT.truncated_mpls;
        return;
      }
      const bottom = bytes[o + 2]! & 1;
      o += 4;
      if (bottom === 0) continue;
      if (o >= end) return;
      const nibble = bytes[o]! >> 4;
      if (nibble === 4 || nibble === 6) this.#ip(bytes, view, o, end, out, i, tsUs, depth);
      else if (nibble === 0 && depth < MAX_NESTING && end - o >= 4 + 14)
        this.#ethernet(bytes, view, o + 4, end, out, i, tsUs, depth + 1);
      return;
    }
    out.event[i] = EVENT.nesting_too_deep;
  }

  /** PPP (RFC 1661) with or without HDLC-like framing (RFC 1662) and protocol field compression. */
  #ppp(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    out.layer[i] = LAYER.link;
    if (end - o >= 4 && (bytes[o] === 0x0f || bytes[o] === 0x8f) && bytes[o + 1] === 0) {
      // Cisco HDLC, which captures of serial lines carry under the same link type.
      this.#etherType(bytes, view, view.getUint16(o + 2), o + 4, end, out, i, tsUs, depth);
      return;
    }
    if (end - o >= 2 && bytes[o] === 0xff && bytes[o + 1] === 0x03) o += 2;
    if (end - o < 1) {
      out.event[i] = EVENT.truncated_ppp;
      return;
    }
    let protocol: number;
    if ((bytes[o]! & 1) === 1) {
      protocol = bytes[o]!;
      o += 1;
    } else if (end - o >= 2) {
      protocol = view.getUint16(o);
      o += 2;
    } else {
      out.event[i] = EVENT.truncated_ppp;
      return;
    }
    if (protocol === 0x21) this.#ipv4(bytes, view, o, end, out, i, tsUs, depth);
    else if (protocol === 0x57) this.#ipv6(bytes, view, o, end, out, i, tsUs, depth);
    else if (protocol === 0x281 || protocol === 0x283) this.#mpls(bytes, view, o, end, out, i, tsUs, depth);
  }

  #ip(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (o >= end) {
      out.event[i] = EVENT.truncated_ipv4;
      return;
    }
    const version = bytes[o]! >> 4;
    if (version === 6) this.#ipv6(bytes, view, o, end, out, i, tsUs, depth);
    else this.#ipv4(bytes, view, o, end, out, i, tsUs, depth);
  }

  /** RFC 791. */
  #ipv4(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (end - o < 20) {
      out.event[i] = EVENT.truncated_ipv4;
      return;
    }
    const first = bytes[o]!;
    if (first >> 4 !== 4) {
      out.event[i] = EVENT.bad_ipv4_version;
      return;
    }
    const headerLen = (first & 15) * 4;
    if (headerLen < 20) {
      out.event[i] = EVENT.bad_ipv4_header_length;
      return;
    }
    out.layer[i] = LAYER.network;
    out.ipVersion[i] = 4;
    const at = i * 8;
    const ip = out.ip;
    ip[at] = 0;
    ip[at + 1] = 0;
    ip[at + 2] = 0;
    ip[at + 3] = view.getUint32(o + 12);
    ip[at + 4] = 0;
    ip[at + 5] = 0;
    ip[at + 6] = 0;
    ip[at + 7] = view.getUint32(o + 16);
    const proto = bytes[o + 9]!;
    out.ipProto[i] = proto;
    out.ttl[i] = bytes[o + 8]!;
    let total = view.getUint16(o + 2);
    // Length 0 is what a capture of segmentation offload shows: the packet is as long as the frame.
    if (total === 0) total = end - o;
    out.ipLen[i] = total;
    if (total < headerLen) {
      out.event[i] = EVENT.bad_ipv4_total_length;
      return;
    }
    if (headerLen > end - o) {
      out.event[i] = EVENT.truncated_ipv4;
      return;
    }
    const wireEnd = o + total;
    const dataEnd = wireEnd < end ? wireEnd : end;
    const fragment = view.getUint16(o + 6);
    if ((fragment & 0x3fff) !== 0) {
      this.#fragment(
        bytes,
        o + headerLen,
        dataEnd,
        wireEnd > end,
        (fragment & 0x1fff) * 8,
        (fragment & 0x2000) !== 0,
        view.getUint16(o + 4),
        proto,
        out,
        i,
        tsUs,
        depth,
      );
      return;
    }
    this.#transport(bytes, view, proto, o + headerLen, dataEnd, wireEnd, out, i, tsUs, depth);
  }

  /** RFC 8200 with its extension headers. */
  #ipv6(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (end - o < 40) {
      out.event[i] = EVENT.truncated_ipv6;
      return;
    }
    if (bytes[o]! >> 4 !== 6) {
      out.event[i] = EVENT.bad_ipv6_version;
      return;
    }
    out.layer[i] = LAYER.network;
    out.ipVersion[i] = 6;
    const at = i * 8;
    for (let w = 0; w < 8; w++) out.ip[at + w] = view.getUint32(o + 8 + w * 4);
    out.ttl[i] = bytes[o + 7]!;
    const payloadLen = view.getUint16(o + 4);
    const wireEnd = payloadLen === 0 ? end : o + 40 + payloadLen;
    out.ipLen[i] = wireEnd - o;
    const dataEnd = wireEnd < end ? wireEnd : end;
    let next = bytes[o + 6]!;
    let p = o + 40;
    for (let extensions = 0; ; extensions++) {
      out.ipProto[i] = next;
      const isOptions = next === 0 || next === 43 || next === 60 || next === 135 || next === 139 || next === 140;
      if (!isOptions && next !== 44 && next !== 51) break;
      if (extensions >= MAX_IPV6_EXTENSIONS) {
        out.event[i] = EVENT.too_many_ipv6_extensions;
        return;
      }
      if (dataEnd - p < 8) {
        out.event[i] = EVENT.truncated_ipv6_extension;
        return;
      }
      if (next === 44) {
        const field = view.getUint16(p + 2);
        const upper = bytes[p]!;
        if ((field & 0xfff9) !== 0) {
          this.#fragment(
            bytes,
            p + 8,
            dataEnd,
            wireEnd > end,
            field & 0xfff8,
            (field & 1) !== 0,
            view.getUint32(p + 4),
            upper,
            out,
            i,
            tsUs,
            depth,
          );
          return;
        }
        next = upper;
        p += 8;
        continue;
      }
      const length = next === 51 ? (bytes[p + 1]! + 2) * 4 : (bytes[p + 1]! + 1) * 8;
      if (length > dataEnd - p) {
        out.event[i] = EVENT.truncated_ipv6_extension;
        return;
      }
      next = bytes[p]!;
      p += length;
    }
    this.#transport(bytes, view, next, p, dataEnd, wireEnd, out, i, tsUs, depth);
  }

  #fragment(
    bytes: Uint8Array,
    from: number,
    to: number,
    cut: boolean,
    offset: number,
    more: boolean,
    id: number,
    proto: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    out.layer[i] = LAYER.fragment;
    out.ipProto[i] = proto;
    if (cut || to <= from) return;
    const { overlaps, tableFull } = this.fragments.counters;
    const length = this.fragments.add(
      bytes,
      from,
      to,
      offset,
      more,
      id,
      proto,
      out.vlan[i]!,
      out.vni[i]!,
      out.ip,
      i * 8,
      tsUs,
    );
    if (length === PENDING) {
      // The first fragment tells the ports: the flow is known even if the rest never comes.
      if (offset === 0 && proto === 17 && to - from >= 8) {
        out.l4Off[i] = from;
        out.srcPort[i] = (bytes[from]! << 8) | bytes[from + 1]!;
        out.dstPort[i] = (bytes[from + 2]! << 8) | bytes[from + 3]!;
        payload(out, i, LAYER.udp, from, from, 0);
      }
      return;
    }
    if (length === REFUSED) {
      const now = this.fragments.counters;
      out.event[i] =
        now.overlaps > overlaps
          ? EVENT.fragment_overlap
          : now.tableFull > tableFull
            ? EVENT.fragment_table_full
            : EVENT.fragment_too_long;
      return;
    }
    if (this.#scratchUsed + length > this.#scratch.length) {
      const grown = new Uint8Array(Math.max(this.#scratch.length * 2, this.#scratchUsed + length));
      grown.set(this.#scratch.subarray(0, this.#scratchUsed));
      this.#scratch = grown;
    }
    const start = this.#scratchUsed;
    this.#scratch.set(this.fragments.bytes.subarray(0, length), start);
    this.#scratchUsed += length;
    out.reassembled[i] = 1;
    out.layer[i] = LAYER.network;
    out.ipLen[i] = length + (out.ipVersion[i] === 6 ? 40 : 20);
    const view = new DataView(this.#scratch.buffer);
    this.#transport(this.#scratch, view, proto, start, start + length, start + length, out, i, tsUs, depth);
  }

  #transport(
    bytes: Uint8Array,
    view: DataView,
    proto: number,
    o: number,
    end: number,
    wireEnd: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    out.ipProto[i] = proto;
    out.l4Off[i] = o;
    out.srcPort[i] = 0;
    out.dstPort[i] = 0;
    switch (proto) {
      case 6: {
        if (end - o < 20) {
          out.event[i] = EVENT.truncated_tcp;
          return;
        }
        out.srcPort[i] = view.getUint16(o);
        out.dstPort[i] = view.getUint16(o + 2);
        out.tcpSeq[i] = view.getUint32(o + 4);
        out.tcpAck[i] = view.getUint32(o + 8);
        out.tcpFlags[i] = bytes[o + 13]!;
        out.tcpWindow[i] = view.getUint16(o + 14);
        const headerLen = (bytes[o + 12]! >> 4) * 4;
        out.layer[i] = LAYER.tcp;
        if (headerLen < 20 || headerLen > wireEnd - o) {
          out.event[i] = EVENT.bad_tcp_header_length;
          return;
        }
        payload(out, i, LAYER.tcp, o + headerLen, end, wireEnd - o - headerLen);
        return;
      }
      case 17: {
        if (end - o < 8) {
          out.event[i] = EVENT.truncated_udp;
          return;
        }
        const srcPort = view.getUint16(o);
        const dstPort = view.getUint16(o + 2);
        out.srcPort[i] = srcPort;
        out.dstPort[i] = dstPort;
        let length = view.getUint16(o + 4);
        if (length === 0) length = wireEnd - o;
        if (length < 8 || length > wireEnd - o) {
          out.event[i] = EVENT.bad_udp_length;
          length = wireEnd - o;
        }
        const dataEnd = o + length < end ? o + length : end;
        payload(out, i, LAYER.udp, o + 8, dataEnd, length - 8);
        if (this.#isTunnel(dstPort)) this.#udpTunnel(bytes, view, dstPort, o + 8, dataEnd, out, i, tsUs, depth);
        return;
      }
      case 1:
      case 58: {
        if (end - o < 4) {
          out.event[i] = EVENT.truncated_icmp;
          return;
        }
        out.srcPort[i] = bytes[o]!;
        out.dstPort[i] = bytes[o + 1]!;
        payload(out, i, LAYER.icmp, o + 4, end, wireEnd - o - 4);
        return;
      }
      case 132:
        if (end - o < 12) {
          out.event[i] = EVENT.truncated_sctp;
          return;
        }
        out.srcPort[i] = view.getUint16(o);
        out.dstPort[i] = view.getUint16(o + 2);
        payload(out, i, LAYER.sctp, o + 12, end, wireEnd - o - 12);
        return;
      case 4:
      case 41:
        if (depth >= MAX_NESTING) out.event[i] = EVENT.nesting_too_deep;
        else if (proto === 41) this.#ipv6(bytes, view, o, end, out, i, tsUs, depth + 1);
        else this.#ipv4(bytes, view, o, end, out, i, tsUs, depth + 1);
        return;
      case 47:
        this.#gre(bytes, view, o, end, out, i, tsUs, depth);
        return;
      default:
        payload(out, i, LAYER.network, o, end, wireEnd - o);
    }
  }

  /** GRE (RFC 2784, RFC 2890) and inside it ERSPAN I, II (draft-foschiano-erspan) and III. */
  #gre(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (end - o < 4) {
      out.event[i] = EVENT.truncated_gre;
      return;
    }
    if (depth >= MAX_NESTING) {
      out.event[i] = EVENT.nesting_too_deep;
      return;
    }
    const flags = view.getUint16(o);
    const type = view.getUint16(o + 2);
    const version = flags & 7;
    if (version > 1) return;
    const hasSequence = (flags & 0x1000) !== 0;
    let p = o + 4;
    if ((flags & 0xc000) !== 0) p += 4;
    const keyAt = p;
    if ((flags & 0x2000) !== 0) p += 4;
    if (hasSequence) p += 4;
    if (version === 1 && (flags & 0x0080) !== 0) p += 4;
    if (p > end) {
      out.event[i] = EVENT.truncated_gre;
      return;
    }
    switch (type) {
      case ETHERTYPE_ERSPAN_2:
        // Type I has no header of its own and, unlike type II, no sequence number in the GRE header.
        if (hasSequence) {
          if (end - p < 8) {
            out.event[i] = EVENT.truncated_erspan;
            return;
          }
          out.vni[i] = view.getUint16(p + 2) & 0x3ff;
          p += 8;
        }
        this.#inner(bytes, view, p, end, out, i, tsUs, depth);
        return;
      case ETHERTYPE_ERSPAN_3: {
        if (end - p < 12) {
          out.event[i] = EVENT.truncated_erspan;
          return;
        }
        out.vni[i] = view.getUint16(p + 2) & 0x3ff;
        p += (bytes[p + 11]! & 1) === 1 ? 20 : 12;
        this.#inner(bytes, view, p, end, out, i, tsUs, depth);
        return;
      }
      case ETHERTYPE_BRIDGED:
        if ((flags & 0x2000) !== 0) out.vni[i] = view.getUint32(keyAt) >>> 8;
        this.#inner(bytes, view, p, end, out, i, tsUs, depth);
        return;
      case 0x880b:
        this.#ppp(bytes, view, p, end, out, i, tsUs, depth + 1);
        return;
      case ETHERTYPE_IPV4:
      case ETHERTYPE_IPV6:
        this.#ip(bytes, view, p, end, out, i, tsUs, depth + 1);
        return;
      default:
        payload(out, i, LAYER.network, p, end, end - p);
    }
  }

  /** The mirrored frame inside a tunnel: its own addresses and tags replace those of the carrier. */
  #inner(
    bytes: Uint8Array,
    view: DataView,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (end - o < 14) {
      if (out.event[i] === 0) out.event[i] = EVENT.truncated_link;
      return;
    }
    out.vlan[i] = 0;
    out.ipVersion[i] = 0;
    out.ipProto[i] = 0;
    out.payLen[i] = 0;
    out.payWire[i] = 0;
    this.#ethernet(bytes, view, o, end, out, i, tsUs, depth + 1);
  }

  /** VXLAN (RFC 7348), GENEVE (RFC 8926), TZSP, GTP-U (3GPP TS 29.281). Only by destination port. */
  #udpTunnel(
    bytes: Uint8Array,
    view: DataView,
    port: number,
    o: number,
    end: number,
    out: PacketColumns,
    i: number,
    tsUs: number,
    depth: number,
  ): void {
    if (depth >= MAX_NESTING) {
      out.event[i] = EVENT.nesting_too_deep;
      return;
    }
    if (port === 4789) {
      if (end - o < 8) {
        out.event[i] = EVENT.truncated_vxlan;
        return;
      }
      // Flag I must be set, everything reserved must be 0 but for the group policy extension's bits.
      if ((bytes[o]! & 0x08) === 0 || bytes[o + 7] !== 0) return;
      if (end - o < 8 + 14) {
        out.event[i] = EVENT.truncated_vxlan;
        return;
      }
      out.vni[i] = view.getUint32(o + 4) >>> 8;
      this.#inner(bytes, view, o + 8, end, out, i, tsUs, depth);
      return;
    }
    if (port === 6081) {
      if (end - o < 8) {
        out.event[i] = EVENT.truncated_geneve;
        return;
      }
      if (bytes[o]! >> 6 !== 0) return;
      const headerLen = 8 + (bytes[o]! & 0x3f) * 4;
      if (end - o < headerLen) {
        out.event[i] = EVENT.truncated_geneve;
        return;
      }
      const type = view.getUint16(o + 2);
      const vni = view.getUint32(o + 4) >>> 8;
      if (type === ETHERTYPE_BRIDGED) {
        if (end - o < headerLen + 14) {
          out.event[i] = EVENT.truncated_geneve;
          return;
        }
        out.vni[i] = vni;
        this.#inner(bytes, view, o + headerLen, end, out, i, tsUs, depth);
      } else if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) {
        out.vni[i] = vni;
        this.#ip(bytes, view, o + headerLen, end, out, i, tsUs, depth + 1);
      }
      return;
    }
    if (port === 37008) {
      if (end - o < 5) {
        out.event[i] = EVENT.truncated_tzsp;
        return;
      }
      if (bytes[o] !== 1 || bytes[o + 1]! > 1 || view.getUint16(o + 2) !== 1) return;
      let p = o + 4;
      for (let tags = 0; tags < 32 && p < end; tags++) {
        const tag = bytes[p]!;
        if (tag === 1) {
          this.#inner(bytes, view, p + 1, end, out, i, tsUs, depth);
          return;
        }
        p += tag === 0 ? 1 : 2 + (p + 1 < end ? bytes[p + 1]! : 0);
      }
      out.event[i] = EVENT.truncated_tzsp;
      return;
    }
    if (end - o < 8 || bytes[o]! >> 5 !== 1 || bytes[o + 1] !== 255) return;
    let p = o + 8;
    if ((bytes[o]! & 7) !== 0) p += 4;
    if (p < end) this.#ip(bytes, view, p, end, out, i, tsUs, depth + 1);
  }
}

/** A row's decoding only writes what it finds. */
function clearRow(out: PacketColumns, i: number): void {
  out.event[i] = 0;
  out.layer[i] = LAYER.none;
  out.hasMac[i] = 0;
  out.srcOui[i] = 0;
  out.srcNic[i] = 0;
  out.dstOui[i] = 0;
  out.dstNic[i] = 0;
  out.vlan[i] = 0;
  out.vni[i] = 0;
  out.etherType[i] = 0;
  out.ipVersion[i] = 0;
  out.ipProto[i] = 0;
  out.tcpFlags[i] = 0;
  out.payLen[i] = 0;
  out.payWire[i] = 0;
  out.reassembled[i] = 0;
}

function payload(out: PacketColumns, i: number, layer: number, from: number, to: number, wire: number): void {
  out.layer[i] = layer;
  out.payOff[i] = from;
  out.payLen[i] = to > from ? to - from : 0;
  out.payWire[i] = wire > 0 ? wire : 0;
}

/** RFC 826 for Ethernet and IPv4. Sender and target addresses go to the IP words, the operation to srcPort. */
function arp(bytes: Uint8Array, view: DataView, o: number, end: number, out: PacketColumns, i: number): void {
  if (end - o < 8) {
    out.event[i] = EVENT.truncated_arp;
    return;
  }
  if (view.getUint16(o) !== 1 || view.getUint16(o + 2) !== 0x0800 || bytes[o + 4] !== 6 || bytes[o + 5] !== 4) {
    out.event[i] = EVENT.bad_arp;
    return;
  }
  if (end - o < 28) {
    out.event[i] = EVENT.truncated_arp;
    return;
  }
  out.layer[i] = LAYER.arp;
  out.ipVersion[i] = 4;
  const at = i * 8;
  const ip = out.ip;
  ip[at] = 0;
  ip[at + 1] = 0;
  ip[at + 2] = 0;
  ip[at + 3] = view.getUint32(o + 14);
  ip[at + 4] = 0;
  ip[at + 5] = 0;
  ip[at + 6] = 0;
  ip[at + 7] = view.getUint32(o + 24);
  out.srcPort[i] = view.getUint16(o + 6);
  out.dstPort[i] = 0;
  out.l4Off[i] = o;
}
