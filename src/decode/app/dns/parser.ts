/**
 * DNS messages (RFC 1035 section 4):
 *
 *   message  = id(2) flags(2) qdcount(2) ancount(2) nscount(2) arcount(2) { question } { record }
 *   question = name type(2) class(2)
 *   record   = name type(2) class(2) ttl(4) rdlength(2) rdata
 *   name     = { length(1, below 64) label } ( 0x00 | pointer(2, 0xC000 or more) )
 *   over TCP = { length(2) message }
 *
 * A pointer must lead to an earlier place than any visited before it in the same name: such a walk ends
 * without counting jumps. mDNS, LLMNR and NetBIOS names have the same form and use these functions.
 */
import { numbered } from '../ascii.ts';
import { ipv4At, ipv6At } from '../addresses.ts';
import type { ObservationSink } from '../../observation.ts';

export const HEADER_BYTES = 12;
const MOST_LABELS = 128;
const MOST_NAME = 255;
const MOST_RECORDS = 64;
const LABEL_SHOWN = 40;
const NAME_SHOWN = 80;

const TYPES: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  10: 'NULL',
  12: 'PTR',
  13: 'HINFO',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  29: 'LOC',
  32: 'NB',
  33: 'SRV',
  35: 'NAPTR',
  41: 'OPT',
  43: 'DS',
  44: 'SSHFP',
  46: 'RRSIG',
  47: 'NSEC',
  48: 'DNSKEY',
  50: 'NSEC3',
  52: 'TLSA',
  64: 'SVCB',
  65: 'HTTPS',
  249: 'TKEY',
  250: 'TSIG',
  251: 'IXFR',
  252: 'AXFR',
  255: 'ANY',
  257: 'CAA',
};

export function typeName(type: number): string {
  return TYPES[type] ?? numbered('TYPE', type);
}

/** A name as it was read: lower case, labels with dots, in `text[0 .. length)`. One object is used again and again. */
export interface Name {
  readonly text: Uint8Array;
  length: number;
  labels: number;
  firstLabelLength: number;
  /** Start of each label in `text`. */
  readonly starts: Uint8Array;
  /** 0 good, 1 bad, 2 loop or forward pointer, 3 runs over the end. */
  fault: number;
}

export function createName(): Name {
  return {
    text: new Uint8Array(MOST_NAME),
    length: 0,
    labels: 0,
    firstLabelLength: 0,
    starts: new Uint8Array(MOST_LABELS),
    fault: 0,
  };
}

/**
 * Reads the name at `at` of the message that begins at `start`. Returns where what follows begins, or -1
 * with `name.fault` set.
 */
export function readName(name: Name, bytes: Uint8Array, start: number, at: number, end: number): number {
  name.length = 0;
  name.labels = 0;
  name.firstLabelLength = 0;
  name.fault = 0;
  let after = -1;
  let lowest = at;
  for (;;) {
    if (at >= end) {
      name.fault = 3;
      return -1;
    }
    const length = bytes[at]!;
    if (length === 0) return after < 0 ? at + 1 : after;
    if (length >= 0xc0) {
      if (at + 1 >= end) {
        name.fault = 3;
        return -1;
      }
      const target = start + (((length & 0x3f) << 8) | bytes[at + 1]!);
      if (target >= lowest) {
        name.fault = 2;
        return -1;
      }
      if (after < 0) after = at + 2;
      at = target;
      lowest = target;
      continue;
    }
    if (length > 63 || name.labels >= MOST_LABELS || name.length + length + 1 > MOST_NAME) {
      name.fault = 1;
      return -1;
    }
    if (end - at - 1 < length) {
      name.fault = 3;
      return -1;
    }
    if (name.labels > 0) name.text[name.length++] = 0x2e;
    else name.firstLabelLength = length;
    name.starts[name.labels++] = name.length;
    for (let i = 1; i <= length; i++) {
      const byte = bytes[at + i]!;
      name.text[name.length++] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    }
    at += 1 + length;
  }
}

/**
 * Where the end of the name that may be shown begins: long labels carry data, not names. `most` labels at most.
 */
export function shownFrom(name: Name, most: number): number {
  let from = name.length;
  let stop = name.length;
  for (let i = name.labels - 1; i >= 0 && name.labels - i <= most; i--) {
    const begins = name.starts[i]!;
    if (stop - begins > LABEL_SHOWN || name.length - begins > NAME_SHOWN) break;
    from = begins;
    stop = begins - 1;
  }
  return from;
}

/** Shannon entropy of the first label in bits per byte. */
export function firstLabelEntropy(name: Name): number {
  const n = name.firstLabelLength;
  let bits = 0;
  for (let i = 0; i < n; i++) {
    let same = 0;
    let earlier = false;
    for (let k = 0; k < n; k++) {
      if (name.text[k] !== name.text[i]) continue;
      if (k < i) earlier = true;
      same++;
    }
    if (!earlier) bits -= (same / n) * Math.log2(same / n);
  }
  return Math.round(bits * 1000) / 1000;
}

export function tellFault(name: Name, cut: boolean, out: ObservationSink): void {
  if (name.fault === 2) out.event('dns_pointer_loop');
  else if (name.fault !== 3 || !cut) out.event('dns_bad_name');
}

/** Answer records gathered by {@link readAnswers}. */
export interface Answers {
  addresses: string;
  ttl: number;
  dataBytes: number;
}

/**
 * Walks `count` records. What was read before a bad one stays. Returns where the next section begins or
 * -1.
 */
export function readAnswers(
  answers: Answers,
  name: Name,
  bytes: Uint8Array,
  start: number,
  at: number,
  end: number,
  count: number,
  cut: boolean,
  out: ObservationSink,
): number {
  answers.addresses = '';
  answers.ttl = -1;
  answers.dataBytes = 0;
  for (let i = 0; i < count && i < MOST_RECORDS; i++) {
    at = readName(name, bytes, start, at, end);
    if (at < 0) {
      tellFault(name, cut, out);
      return -1;
    }
    const length = end - at < 10 ? -1 : (bytes[at + 8]! << 8) | bytes[at + 9]!;
    if (length < 0 || length > end - at - 10) {
      if (!cut) out.event('dns_bad_record');
      return -1;
    }
    const type = (bytes[at]! << 8) | bytes[at + 1]!;
    const ttl = bytes[at + 4]! * 0x1000000 + ((bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!);
    if (answers.ttl < 0 || ttl < answers.ttl) answers.ttl = ttl;
    const data = at + 10;
    let address = '';
    if (type === 1 && length === 4) address = ipv4At(bytes, data);
    else if (type === 28 && length === 16) address = ipv6At(bytes, data);
    else if (type === 16 || type === 10 || type === 5) answers.dataBytes += length;
    if (address !== '' && answers.addresses.length + address.length < 127) {
      answers.addresses += (answers.addresses === '' ? '' : ' ') + address;
    }
    at = data + length;
  }
  return at;
}

/**
 * Whether a DNS message may begin here: a header that makes sense and a readable question. `onPort` says that the
 * customary port speaks for it as well: then an answer that holds nothing but an error is believed too.
 */
export function looksLikeMessage(name: Name, bytes: Uint8Array, start: number, end: number, onPort: boolean): boolean {
  if (end - start < HEADER_BYTES) return false;
  const opcode = (bytes[start + 2]! >> 3) & 15;
  const response = (bytes[start + 2]! & 0x80) !== 0;
  const questions = (bytes[start + 4]! << 8) | bytes[start + 5]!;
  const answers = (bytes[start + 6]! << 8) | bytes[start + 7]!;
  const authority = (bytes[start + 8]! << 8) | bytes[start + 9]!;
  const additional = (bytes[start + 10]! << 8) | bytes[start + 11]!;
  if (opcode === 3 || opcode > 6) return false;
  if (questions > 8 || answers > 512 || authority > 128 || additional > 128) return false;
  if (!response && answers > 0 && opcode === 0) return false;
  if (questions === 0) {
    return (
      onPort && response && answers === 0 && authority === 0 && additional <= 1 && (bytes[start + 3]! & 0x0f) !== 0
    );
  }
  const at = readName(name, bytes, start, start + HEADER_BYTES, end);
  if (at < 0 || end - at < 4) return false;
  for (let i = 0; i < name.length; i++) if (name.text[i]! < 0x21) return false;
  const type = (bytes[at]! << 8) | bytes[at + 1]!;
  const kind = ((bytes[at + 2]! & 0x7f) << 8) | bytes[at + 3]!;
  return (
    type > 0 &&
    (type <= 264 || type === 32769 || type >= 65280) &&
    (kind === 1 || kind === 3 || kind === 4 || kind >= 254)
  );
}
