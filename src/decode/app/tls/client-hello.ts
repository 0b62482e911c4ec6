import { hash } from 'node:crypto';
import type { ObservationSink } from '../../observation.ts';
import { clientHello as kind } from './events.ts';

/**
 * ClientHello, RFC 8446 section 4.1.2 (TLS) and RFC 6347 section 4.2.1 (DTLS: the cookie).
 *
 *     ClientHello = legacy_version(2) random(32) session_id<1> [cookie<1>, DTLS only]
 *                   cipher_suites<2> compression_methods<1> [extensions<2>]
 *     extension   = type(2) data<2>
 *     server_name = list<2> of name_type(1) host_name<2>
 *     alpn        = list<2> of name<1>
 *     groups, signature algorithms = list<2> of number(2)
 *     supported_versions = list<1> of version(2);  point formats = list<1> of byte
 *
 * `x<n>` is a vector behind a length of n bytes.
 */
export interface ClientHello {
  legacyVersion: number;
  /** Highest version of the supported_versions extension without GREASE, 0 where there is none. */
  supportedVersion: number;
  ciphers: number[];
  extensions: number[];
  groups: number[];
  pointFormats: number[];
  signatureAlgorithms: number[];
  hasSni: boolean;
  sniStart: number;
  sniEnd: number;
  alpnStart: number;
  alpnEnd: number;
}

const EXT_SNI = 0;
const EXT_GROUPS = 10;
const EXT_POINT_FORMATS = 11;
const EXT_SIGNATURE_ALGORITHMS = 13;
const EXT_ALPN = 16;
const EXT_SUPPORTED_VERSIONS = 43;

/** RFC 8701: both bytes equal, low nibble 0xa. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

/**
 * Parses the body of a ClientHello (without the handshake header). Undefined where a length contradicts the
 * range; an oddity inside one extension only leaves that extension's content out.
 */
export function parseClientHello(
  bytes: Uint8Array,
  start: number,
  end: number,
  datagram: boolean,
): ClientHello | undefined {
  let at = start + 34;
  if (at + 1 > end) return undefined;
  const hello: ClientHello = {
    legacyVersion: u16(bytes, start),
    supportedVersion: 0,
    ciphers: [],
    extensions: [],
    groups: [],
    pointFormats: [],
    signatureAlgorithms: [],
    hasSni: false,
    sniStart: 0,
    sniEnd: 0,
    alpnStart: 0,
    alpnEnd: 0,
  };
  at += 1 + bytes[at]!;
  if (datagram) {
    if (at + 1 > end) return undefined;
    at += 1 + bytes[at]!;
  }
  if (at + 2 > end) return undefined;
  const ciphersEnd = at + 2 + u16(bytes, at);
  if (ciphersEnd + 1 > end) return undefined;
  readNumbers(bytes, at + 2, ciphersEnd, hello.ciphers);
  at = ciphersEnd + 1 + bytes[ciphersEnd]!;
  if (at > end) return undefined;
  if (at === end) return hello;
  if (at + 2 > end) return undefined;
  const extensionsEnd = at + 2 + u16(bytes, at);
  if (extensionsEnd > end) return undefined;
  at += 2;
  while (at + 4 <= extensionsEnd) {
    const type = u16(bytes, at);
    const from = at + 4;
    const to = from + u16(bytes, at + 2);
    if (to > extensionsEnd) return undefined;
    if (type === EXT_SNI) hello.hasSni = true;
    if (!isGrease(type)) hello.extensions.push(type);
    readExtension(bytes, type, from, to, hello);
    at = to;
  }
  return hello;
}

function readExtension(bytes: Uint8Array, type: number, from: number, to: number, hello: ClientHello): void {
  if (type === EXT_SUPPORTED_VERSIONS) {
    if (from + 1 > to) return;
    const listEnd = Math.min(to, from + 1 + bytes[from]!);
    for (let i = from + 1; i + 2 <= listEnd; i += 2) {
      const version = u16(bytes, i);
      if (!isGrease(version) && rank(version) > rank(hello.supportedVersion)) hello.supportedVersion = version;
    }
    return;
  }
  if (type === EXT_POINT_FORMATS) {
    if (from + 1 > to) return;
    const listEnd = Math.min(to, from + 1 + bytes[from]!);
    for (let i = from + 1; i < listEnd; i++) hello.pointFormats.push(bytes[i]!);
    return;
  }
  if (from + 2 > to) return;
  const listEnd = Math.min(to, from + 2 + u16(bytes, from));
  if (type === EXT_GROUPS) readNumbers(bytes, from + 2, listEnd, hello.groups);
  else if (type === EXT_SIGNATURE_ALGORITHMS) readNumbers(bytes, from + 2, listEnd, hello.signatureAlgorithms);
  else if (type === EXT_ALPN && from + 3 <= listEnd) {
    const nameEnd = from + 3 + bytes[from + 2]!;
    if (nameEnd > listEnd) return;
    hello.alpnStart = from + 3;
    hello.alpnEnd = nameEnd;
  } else if (type === EXT_SNI && from + 5 <= listEnd && bytes[from + 2] === 0) {
    const nameEnd = from + 5 + u16(bytes, from + 3);
    if (nameEnd > listEnd) return;
    hello.sniStart = from + 5;
    hello.sniEnd = nameEnd;
  }
}

/** DTLS versions count downwards. */
function rank(version: number): number {
  return version >= 0xfe00 && version <= 0xfeff ? 0x0400 - (version & 0xff) : version;
}

function readNumbers(bytes: Uint8Array, from: number, to: number, into: number[]): void {
  for (let i = from; i + 2 <= to; i += 2) {
    const value = u16(bytes, i);
    if (!isGrease(value)) into.push(value);
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Name of a protocol version for people; unknown ones as hexadecimal digits. */
export function versionName(version: number): string {
  switch (version) {
    case 0x0002:
      return 'SSL 2.0';
    case 0x0300:
      return 'SSL 3.0';
    case 0x0301:
      return 'TLS 1.0';
    case 0x0302:
      return 'TLS 1.1';
    case 0x0303:
      return 'TLS 1.2';
    case 0x0304:
      return 'TLS 1.3';
    case 0xfeff:
      return 'DTLS 1.0';
    case 0xfefd:
      return 'DTLS 1.2';
    case 0xfefc:
      return 'DTLS 1.3';
    default:
      return version >>> 8 === 0x7f ? `TLS 1.3 draft ${version & 0xff}` : hex4(version);
  }
}

function ja4Version(version: number): string {
  switch (version) {
    case 0x0002:
      return 's2';
    case 0x0300:
      return 's3';
    case 0x0301:
      return '10';
    case 0x0302:
      return '11';
    case 0x0303:
      return '12';
    case 0x0304:
      return '13';
    case 0xfeff:
      return 'd1';
    case 0xfefd:
      return 'd2';
    case 0xfefc:
      return 'd3';
    default:
      return '00';
  }
}

export function hex4(value: number): string {
  return value.toString(16).padStart(4, '0');
}

/** JA3 (Salesforce, BSD-3-Clause): MD5 over version, ciphers, extensions, groups and point formats. */
function ja3(hello: ClientHello): string {
  const parts = [
    String(hello.legacyVersion),
    hello.ciphers.join('-'),
    hello.extensions.join('-'),
    hello.groups.join('-'),
    hello.pointFormats.join('-'),
  ];
  return hash('md5', parts.join(','));
}

function sha12(text: string): string {
  return text === '' ? '000000000000' : hash('sha256', text).slice(0, 12);
}

function isAlphanumeric(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a);
}

function ja4Alpn(bytes: Uint8Array, start: number, end: number): string {
  if (end <= start) return '00';
  const first = bytes[start]!;
  const last = bytes[end - 1]!;
  if (isAlphanumeric(first) && isAlphanumeric(last)) return String.fromCharCode(first, last);
  return (first >> 4).toString(16) + (last & 15).toString(16);
}

/**
 * JA4, the TLS client fingerprint (FoxIO, BSD-3-Clause). `transport`: `t` TCP, `q` QUIC, `d` DTLS.
 * `bytes` are those that the hello was parsed from.
 */
function ja4(hello: ClientHello, bytes: Uint8Array, transport: 't' | 'q' | 'd'): string {
  const count = (n: number): string => String(Math.min(n, 99)).padStart(2, '0');
  const version = ja4Version(hello.supportedVersion === 0 ? hello.legacyVersion : hello.supportedVersion);
  const a =
    transport +
    version +
    (hello.hasSni ? 'd' : 'i') +
    count(hello.ciphers.length) +
    count(hello.extensions.length) +
    ja4Alpn(bytes, hello.alpnStart, hello.alpnEnd);
  const ciphers = hello.ciphers.map(hex4).sort().join(',');
  const extensions = hello.extensions
    .filter((type) => type !== EXT_SNI && type !== EXT_ALPN)
    .map(hex4)
    .sort()
    .join(',');
  const algorithms = hello.signatureAlgorithms.map(hex4).join(',');
  // Without extensions the third part is zeros whatever else there is.
  const c = extensions === '' || algorithms === '' ? extensions : `${extensions}_${algorithms}`;
  return `${a}_${sha12(ciphers)}_${sha12(c)}`;
}

/** A server name as DNS allows it; anything else is not let through as a machine's name. */
function isHostName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 253) return false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (!isAlphanumeric(byte) && byte !== 0x2d && byte !== 0x2e && byte !== 0x5f && byte !== 0x3a) return false;
  }
  return true;
}

/** Writes the observation of a ClientHello; shared by TLS, DTLS and QUIC. */
export function observeClientHello(
  hello: ClientHello,
  bytes: Uint8Array,
  transport: 't' | 'q' | 'd',
  out: ObservationSink,
): void {
  out.begin(kind);
  out.string(kind.at.version, versionName(hello.supportedVersion === 0 ? hello.legacyVersion : hello.supportedVersion));
  if (isHostName(bytes, hello.sniStart, hello.sniEnd)) out.text(kind.at.sni, bytes, hello.sniStart, hello.sniEnd);
  out.text(kind.at.alpn, bytes, hello.alpnStart, hello.alpnEnd);
  out.string(kind.at.ja3, ja3(hello));
  out.string(kind.at.ja4, ja4(hello, bytes, transport));
  out.end();
}
