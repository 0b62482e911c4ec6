/**
 * Columns of decoded packets: row `i` describes frame `i` of the batch it was decoded from. Addresses are
 * those of the innermost packet, since a mirror's own encapsulation is not traffic of the clinical network.
 */
export interface PacketColumns {
  readonly capacity: number;
  count: number;
  /** How far decoding came, see {@link LAYER}. */
  readonly layer: Uint8Array;
  /** First decode event of the frame, an index into {@link DECODE_EVENTS}; 0 = none. */
  readonly event: Uint8Array;
  /** Upper and lower 24 bits of the MAC addresses; 0/0 where the link has none. The upper half is the OUI. */
  readonly srcOui: Uint32Array;
  readonly srcNic: Uint32Array;
  readonly dstOui: Uint32Array;
  readonly dstNic: Uint32Array;
  /** 1 where the link layer carries MAC addresses. */
  readonly hasMac: Uint8Array;
  /** Outermost VLAN id of the mirrored frame + innermost id << 12 where there are two tags; 0 = untagged. */
  readonly vlan: Uint32Array;
  /** VXLAN or GENEVE network identifier, or GRE key / ERSPAN session; 0 = none. */
  readonly vni: Uint32Array;
  readonly etherType: Uint16Array;
  /** 4, 6, or 0 where there is no IP; ARP rows hold 4. */
  readonly ipVersion: Uint8Array;
  /** Eight words a row: source (4), destination (4), network order; IPv4 in the last word of each. ARP: sender, target. */
  readonly ip: Uint32Array;
  readonly ipProto: Uint8Array;
  readonly ttl: Uint8Array;
  /** Length of the IP packet by its header (all of it: header and payload). */
  readonly ipLen: Uint32Array;
  /** Ports; ICMP: type and code; ARP: operation in `srcPort`. */
  readonly srcPort: Uint16Array;
  readonly dstPort: Uint16Array;
  readonly tcpFlags: Uint8Array;
  readonly tcpSeq: Uint32Array;
  readonly tcpAck: Uint32Array;
  readonly tcpWindow: Uint16Array;
  /** Offset of the transport header (of the ARP or ICMP header), in the frame's bytes. */
  readonly l4Off: Uint32Array;
  /** Payload of the transport (or the frame after its EtherType for layer 2 protocols): offset and captured length. */
  readonly payOff: Uint32Array;
  readonly payLen: Uint32Array;
  /** Length of the payload on the wire, by the headers; more than `payLen` where the capture cut the frame. */
  readonly payWire: Uint32Array;
  /** 1 where offsets point into {@link PacketColumns.scratch} because the packet was put together from fragments. */
  readonly reassembled: Uint8Array;
  scratch: Uint8Array;
  scratchView: DataView;
}

/** How far a frame could be decoded. */
export const LAYER = {
  /** Nothing could be made of it: counted as undecodable with the reason in `event`. */
  none: 0,
  /** Link layer only. */
  link: 1,
  arp: 2,
  /** IP header, but no transport header that is known or whole. */
  network: 3,
  /** Part of a datagram that is still being put together. */
  fragment: 4,
  tcp: 5,
  udp: 6,
  icmp: 7,
  sctp: 8,
  /** A layer 2 protocol with a payload to read: LLDP, CDP. */
  control: 9,
} as const;

/** What can be wrong or odd below the application; the names are the labels of the counters. */
export const DECODE_EVENTS = [
  'none',
  'empty_frame',
  'unknown_link_type',
  'truncated_link',
  'truncated_vlan',
  'truncated_llc',
  'truncated_mpls',
  'truncated_pppoe',
  'truncated_ppp',
  'truncated_arp',
  'bad_arp',
  'truncated_ipv4',
  'bad_ipv4_version',
  'bad_ipv4_header_length',
  'bad_ipv4_total_length',
  'truncated_ipv6',
  'bad_ipv6_version',
  'truncated_ipv6_extension',
  'too_many_ipv6_extensions',
  'truncated_tcp',
  'bad_tcp_header_length',
  'truncated_udp',
  'bad_udp_length',
  'truncated_icmp',
  'truncated_sctp',
  'truncated_gre',
  'truncated_erspan',
  'truncated_vxlan',
  'truncated_geneve',
  'truncated_tzsp',
  'nesting_too_deep',
  'fragment_overlap',
  'fragment_too_long',
  'fragment_table_full',
  'fragment_timeout',
  'frame_longer_than_wire',
] as const;

export type DecodeEventName = (typeof DECODE_EVENTS)[number];

export const EVENT = Object.fromEntries(DECODE_EVENTS.map((name, code) => [name, code])) as Readonly<
  Record<DecodeEventName, number>
>;

export function createPacketColumns(capacity: number): PacketColumns {
  const u8 = () => new Uint8Array(capacity);
  const u16 = () => new Uint16Array(capacity);
  const u32 = () => new Uint32Array(capacity);
  const scratch = new Uint8Array(0);
  return {
    capacity,
    count: 0,
    layer: u8(),
    event: u8(),
    srcOui: u32(),
    srcNic: u32(),
    dstOui: u32(),
    dstNic: u32(),
    hasMac: u8(),
    vlan: u32(),
    vni: u32(),
    etherType: u16(),
    ipVersion: u8(),
    ip: new Uint32Array(capacity * 8),
    ipProto: u8(),
    ttl: u8(),
    ipLen: u32(),
    srcPort: u16(),
    dstPort: u16(),
    tcpFlags: u8(),
    tcpSeq: u32(),
    tcpAck: u32(),
    tcpWindow: u16(),
    l4Off: u32(),
    payOff: u32(),
    payLen: u32(),
    payWire: u32(),
    reassembled: u8(),
    scratch,
    scratchView: new DataView(scratch.buffer),
  };
}
