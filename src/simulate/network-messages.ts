/** Messages of the protocols that every network has, written from their RFCs and specifications. */
import type { Prng } from '../lib/prng.ts';
import { Bytes, latin } from './bytes.ts';
import { ipBytes, macBytes } from './network.ts';

// ---- DHCP (RFC 2131, 2132) ----

export interface DhcpClient {
  readonly vendorClass: string | undefined;
  readonly parameters: readonly number[];
}

export interface DhcpMessage {
  readonly op: 1 | 2;
  readonly type: 1 | 2 | 3 | 5 | 7;
  readonly xid: number;
  readonly mac: string;
  readonly ciaddr?: string;
  readonly yiaddr?: string;
  readonly relay?: string;
  readonly hostname?: string;
  readonly client?: DhcpClient;
  readonly requested?: string;
  readonly server?: string;
  readonly lease?: { readonly seconds: number; readonly router: string; readonly dns: string };
}

export function dhcp(m: DhcpMessage): Uint8Array {
  const none = '0.0.0.0';
  const b = new Bytes()
    .u8(m.op, 1, 6, m.relay === undefined ? 0 : 1)
    .u32(m.xid)
    .u16(0, 0);
  b.put(ipBytes(m.ciaddr ?? none))
    .put(ipBytes(m.yiaddr ?? none))
    .put(ipBytes(none))
    .put(ipBytes(m.relay ?? none));
  b.put(macBytes(m.mac))
    .zeros(10 + 192)
    .u32(0x63825363)
    .u8(53, 1, m.type);
  if (m.op === 1) b.u8(61, 7, 1).put(macBytes(m.mac));
  if (m.requested !== undefined) b.u8(50, 4).put(ipBytes(m.requested));
  if (m.server !== undefined) b.u8(54, 4).put(ipBytes(m.server));
  if (m.lease !== undefined) {
    b.u8(51, 4)
      .u32(m.lease.seconds)
      .u8(1, 4, 255, 255, 255, 0)
      .u8(3, 4)
      .put(ipBytes(m.lease.router))
      .u8(6, 4)
      .put(ipBytes(m.lease.dns));
  }
  if (m.hostname !== undefined) b.u8(12, m.hostname.length).text(m.hostname);
  if (m.client?.vendorClass !== undefined) b.u8(60, m.client.vendorClass.length).text(m.client.vendorClass);
  if (m.client !== undefined) b.u8(55, m.client.parameters.length).put(m.client.parameters);
  b.u8(255);
  return b.zeros(Math.max(0, 300 - b.length)).done();
}

// ---- DNS (RFC 1035) ----

function dnsName(b: Bytes, name: string): Bytes {
  for (const label of name.split('.')) b.u8(label.length).text(label);
  return b.u8(0);
}

/** Query for an A record; with `answer`, the response (an empty `answer` is NXDOMAIN). */
export function dns(id: number, name: string, answer?: string): Uint8Array {
  const found = answer !== undefined && answer !== '';
  const b = new Bytes().u16(id, answer === undefined ? 0x0100 : found ? 0x8180 : 0x8183, 1, found ? 1 : 0, 0, 0);
  dnsName(b, name).u16(1, 1);
  if (found) b.u16(0xc00c, 1, 1).u32(300).u16(4).put(ipBytes(answer));
  return b.done();
}

// ---- NTP (RFC 5905), times in seconds since 1900 ----

const NTP_EPOCH_S = 2_208_988_800;

export function ntp(server: boolean, seconds: number): Uint8Array {
  const b = new Bytes().u8(server ? 0x24 : 0x23, server ? 2 : 0, 6, 0xec).u32(server ? 0x200 : 0, server ? 0x300 : 0);
  b.text(server ? 'GPS\0' : '\0\0\0\0', 4);
  const whole = Math.floor(seconds);
  const stamp = (): void => void b.u32((whole + NTP_EPOCH_S) >>> 0, Math.floor((seconds - whole) * 4_294_967_296));
  if (server) {
    stamp();
    stamp();
    stamp();
  } else b.zeros(24);
  stamp();
  return b.done();
}

// ---- SNMP v2c (RFC 3416), BER ----

function ber(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, p) => sum + p.length, 0);
  const b = new Bytes().u8(tag);
  if (size < 128) b.u8(size);
  else b.u8(0x82).u16(size);
  for (const p of parts) b.put(p);
  return b.done();
}

function berInt(value: number): Uint8Array {
  const b: number[] = [];
  let v = value;
  do {
    b.unshift(v & 255);
    v = Math.floor(v / 256);
  } while (v > 0);
  if (b[0]! > 127) b.unshift(0);
  return ber(2, Uint8Array.from(b));
}

/** sysUpTime, ifInOctets.1, ifOutOctets.1 (RFC 1213). */
const OIDS = [
  [0x2b, 6, 1, 2, 1, 1, 3, 0],
  [0x2b, 6, 1, 2, 1, 2, 2, 1, 10, 1],
  [0x2b, 6, 1, 2, 1, 2, 2, 1, 16, 1],
];

export function snmp(community: string, requestId: number, values?: readonly number[]): Uint8Array {
  const bindings = OIDS.map((oid, i) =>
    ber(0x30, ber(6, Uint8Array.from(oid)), values === undefined ? ber(5) : berInt(values[i]!)),
  );
  return ber(
    0x30,
    berInt(1),
    ber(4, latin(community)),
    ber(values === undefined ? 0xa0 : 0xa2, berInt(requestId), berInt(0), berInt(0), ber(0x30, ...bindings)),
  );
}

export function syslog(priority: number, timeUs: number, host: string, text: string): Uint8Array {
  return latin(`<${priority}>1 ${new Date(timeUs / 1000).toISOString()} ${host} ${text}`);
}

// ---- LLDP (IEEE 802.1AB) ----

export function lldp(mac: string, name: string, description: string): Uint8Array {
  const b = new Bytes();
  const tlv = (type: number, value: Uint8Array): void => void b.u16((type << 9) | value.length).put(value);
  tlv(1, new Bytes().u8(4).put(macBytes(mac)).done());
  tlv(2, latin('\x05Gi0/1'));
  tlv(3, Uint8Array.of(0, 120));
  tlv(5, latin(name));
  tlv(6, latin(description));
  tlv(7, Uint8Array.of(0, 0x14, 0, 0x04));
  tlv(0, new Uint8Array(0));
  return b.done();
}

// ---- HTTP/1.1 ----

export function httpRequest(method: string, host: string, path: string, agent: string, body = ''): Uint8Array {
  const length = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  return latin(
    `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${agent}\r\nAccept: */*\r\n${length}\r\n${body}`,
  );
}

export function httpResponse(server: string, type: string, length: number, code = 200): Uint8Array {
  const reason = code === 200 ? 'OK' : code === 401 ? 'Unauthorized' : 'Not Found';
  const head = `HTTP/1.1 ${code} ${reason}\r\nServer: ${server}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;
  return latin(head + '.'.repeat(length));
}

// ---- TLS (RFC 8446) ----

export interface TlsStack {
  readonly ciphers: readonly number[];
  readonly groups: readonly number[];
  readonly signatures: readonly number[];
  readonly alpn: readonly string[];
}

export function randomBytes(random: Prng, n: number): Uint8Array {
  const out = new Uint8Array(n);
  let i = 0;
  for (; i + 3 < n; i += 4) {
    const r = random.uint32();
    out[i] = r;
    out[i + 1] = r >>> 8;
    out[i + 2] = r >>> 16;
    out[i + 3] = r >>> 24;
  }
  for (; i < n; i++) out[i] = random.uint32();
  return out;
}

export function tlsRecord(type: number, body: Uint8Array, version = 0x0303): Uint8Array {
  return new Bytes().u8(type).u16(version, body.length).put(body).done();
}

function handshake(type: number, body: Uint8Array, version = 0x0303): Uint8Array {
  return tlsRecord(22, new Bytes().u8(type, 0).u16(body.length).put(body).done(), version);
}

export function clientHello(random: Prng, stack: TlsStack, serverName: string | undefined): Uint8Array {
  const extensions = new Bytes();
  const extension = (type: number, body: Uint8Array): void => void extensions.u16(type, body.length).put(body);
  const list16 = (values: readonly number[]): Uint8Array => new Bytes().u16(values.length * 2, ...values).done();
  if (serverName !== undefined) {
    extension(
      0,
      new Bytes()
        .u16(serverName.length + 3)
        .u8(0)
        .u16(serverName.length)
        .text(serverName)
        .done(),
    );
  }
  extension(23, new Uint8Array(0));
  extension(0xff01, Uint8Array.of(0));
  extension(10, list16(stack.groups));
  extension(11, Uint8Array.of(1, 0));
  extension(13, list16(stack.signatures));
  if (stack.alpn.length > 0) {
    const names = new Bytes();
    for (const name of stack.alpn) names.u8(name.length).text(name);
    extension(16, new Bytes().u16(names.length).put(names.done()).done());
  }
  extension(51, new Bytes().u16(36, 29, 32).put(randomBytes(random, 32)).done());
  extension(45, Uint8Array.of(1, 1));
  extension(43, Uint8Array.of(4, 3, 4, 3, 3));
  const b = new Bytes().u16(0x0303).put(randomBytes(random, 32)).u8(32).put(randomBytes(random, 32));
  b.put(list16(stack.ciphers)).u8(1, 0).u16(extensions.length).put(extensions.done());
  return handshake(1, b.done(), 0x0301);
}

/** ServerHello, change of cipher and the encrypted rest of the server's first flight. */
export function serverHello(random: Prng, cipher: number): Uint8Array {
  const b = new Bytes().u16(0x0303).put(randomBytes(random, 32)).u8(32).put(randomBytes(random, 32)).u16(cipher).u8(0);
  const extensions = new Bytes().u16(51, 36, 29, 32).put(randomBytes(random, 32)).u16(43, 2, 0x0304);
  b.u16(extensions.length).put(extensions.done());
  return new Bytes()
    .put(handshake(2, b.done()))
    .put(tlsRecord(20, Uint8Array.of(1)))
    .put(tlsRecord(23, randomBytes(random, 1200 + random.int(1400))))
    .done();
}

export function clientFinished(random: Prng): Uint8Array {
  return new Bytes()
    .put(tlsRecord(20, Uint8Array.of(1)))
    .put(tlsRecord(23, randomBytes(random, 53)))
    .done();
}

/** Application data of `n` bytes in records of at most 16 KiB. */
export function tlsData(random: Prng, n: number): Uint8Array {
  const b = new Bytes();
  for (let left = n; left > 0; left -= 16_384) b.put(tlsRecord(23, randomBytes(random, Math.min(left, 16_384) + 17)));
  return b.done();
}

// ---- Modbus TCP (Modbus Application Protocol 1.1b3) ----

function modbus(transaction: number, unit: number, pdu: Uint8Array): Uint8Array {
  return new Bytes()
    .u16(transaction & 0xffff, 0, pdu.length + 1)
    .u8(unit)
    .put(pdu)
    .done();
}

export const modbusRead = (transaction: number, first: number, count: number): Uint8Array =>
  modbus(transaction, 1, new Bytes().u8(3).u16(first, count).done());

export const modbusValues = (transaction: number, values: readonly number[]): Uint8Array =>
  modbus(
    transaction,
    1,
    new Bytes()
      .u8(3, values.length * 2)
      .u16(...values)
      .done(),
  );

export const modbusWrite = (transaction: number, register: number, value: number): Uint8Array =>
  modbus(transaction, 1, new Bytes().u8(6).u16(register, value).done());

// ---- BACnet/IP (ASHRAE 135): present value of an analogue object ----

function bacnet(apdu: Bytes, expectsReply: boolean): Uint8Array {
  return new Bytes()
    .u8(0x81, 0x0a)
    .u16(apdu.length + 6)
    .u8(1, expectsReply ? 4 : 0)
    .put(apdu.done())
    .done();
}

const presentValue = (b: Bytes, type: number, instance: number): Bytes =>
  b
    .u8(0x0c)
    .u32(((type << 22) | instance) >>> 0)
    .u8(0x19, 85);

export const bacnetRead = (invoke: number, instance: number): Uint8Array =>
  bacnet(presentValue(new Bytes().u8(0, 5, invoke & 255, 12), 0, instance), true);

export const bacnetValue = (invoke: number, instance: number, value: number): Uint8Array =>
  bacnet(
    presentValue(new Bytes().u8(0x30, invoke & 255, 12), 0, instance)
      .u8(0x3e, 0x44)
      .u32(real(value))
      .u8(0x3f),
    false,
  );

export const bacnetWrite = (invoke: number, instance: number, value: number): Uint8Array =>
  bacnet(
    presentValue(new Bytes().u8(0, 5, invoke & 255, 15), 2, instance)
      .u8(0x3e, 0x44)
      .u32(real(value))
      .u8(0x3f, 0x49, 8),
    true,
  );

export const bacnetDone = (invoke: number): Uint8Array => bacnet(new Bytes().u8(0x20, invoke & 255, 15), false);

function real(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0);
}

// ---- SIP (RFC 3261), RTSP (RFC 7826 and 2326), RTP (RFC 3550) ----

export function sip(
  first: string,
  from: string,
  to: string,
  call: string,
  sequence: number,
  method: string,
  body = '',
): Uint8Array {
  const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
  return latin(
    `${first}\r\nVia: SIP/2.0/UDP ${from};branch=z9hG4bK${call}${sequence}\r\nMax-Forwards: 70\r\nFrom: <sip:${from}>;tag=${call}\r\n` +
      `To: <sip:${to}>\r\nCall-ID: ${call}\r\nCSeq: ${sequence} ${method}\r\nContact: <sip:${from}>\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}

export function sdp(ip: string, port: number): string {
  return `v=0\r\no=- 1 1 IN IP4 ${ip}\r\ns=-\r\nc=IN IP4 ${ip}\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\n`;
}

export function rtsp(first: string, sequence: number, lines: readonly string[], body = ''): Uint8Array {
  const length = body === '' ? '' : `Content-Type: application/sdp\r\nContent-Length: ${body.length}\r\n`;
  return latin(`${first}\r\nCSeq: ${sequence}\r\n${lines.map((l) => `${l}\r\n`).join('')}${length}\r\n${body}`);
}

export function rtp(type: number, sequence: number, time: number, source: number, data: Uint8Array): Uint8Array {
  return new Bytes()
    .u8(0x80, type)
    .u16(sequence & 0xffff)
    .u32(time >>> 0, source)
    .put(data)
    .done();
}

// ---- SMB 2 (MS-SMB2) in NetBIOS session messages ----

const SMB = { negotiate: 0, setup: 1, tree: 3, create: 5, close: 6, read: 8, write: 9, setInfo: 17 } as const;
const MORE_PROCESSING = 0xc0000016;

export interface SmbSession {
  message: number;
  session: number;
  tree: number;
}

function smb(s: SmbSession, command: number, response: boolean, body: Bytes, status = 0): Uint8Array {
  if (!response) s.message++;
  const b = new Bytes()
    .u8(0, 0)
    .u16(64 + body.length)
    .u32(0xfe534d42)
    .u16le(64, 1)
    .u32le(status);
  b.u16le(command, 1).u32le(response ? 1 : 0, 0, s.message, 0, 0xfeff);
  b.u32le(
    command <= SMB.tree && !(command === SMB.tree && response) ? 0 : s.tree,
    command === SMB.negotiate ? 0 : s.session,
    0,
  ).zeros(16);
  return b.put(body.done()).done();
}

export const smbNegotiate = (s: SmbSession, random: Prng): Uint8Array =>
  smb(
    s,
    SMB.negotiate,
    false,
    new Bytes()
      .u16le(36, 4, 1, 0)
      .u32le(0x7f)
      .put(randomBytes(random, 16))
      .zeros(8)
      .u16le(0x0202, 0x0210, 0x0300, 0x0302),
  );

export function smbNegotiated(s: SmbSession, random: Prng): Uint8Array {
  const b = new Bytes().u16le(65, 1, 0x0302, 0).put(randomBytes(random, 16)).u32le(0x7f, 0x100000, 0x100000, 0x100000);
  return smb(s, SMB.negotiate, true, b.zeros(16).u16le(128, 0).u32le(0));
}

function ntlm(type: number): Bytes {
  return new Bytes().text('NTLMSSP\0').u32le(type);
}

function setup(s: SmbSession, blob: Uint8Array): Uint8Array {
  return smb(s, SMB.setup, false, new Bytes().u16le(25).u8(0, 1).u32le(1, 0).u16le(88, blob.length).zeros(8).put(blob));
}

function setUp(s: SmbSession, blob: Uint8Array, status: number): Uint8Array {
  return smb(s, SMB.setup, true, new Bytes().u16le(9, 0, 72, blob.length).put(blob), status);
}

export const smbSetup1 = (s: SmbSession): Uint8Array => setup(s, ntlm(1).u32le(0x62088215, 0, 0, 0, 0).done());

export function smbChallenge(s: SmbSession, random: Prng): Uint8Array {
  const b = ntlm(2).u16le(0, 0).u32le(48, 0x62898215).put(randomBytes(random, 8)).zeros(8).u16le(0, 0).u32le(48);
  return setUp(s, b.done(), MORE_PROCESSING);
}

export function smbSetup2(s: SmbSession, random: Prng, user: string): Uint8Array {
  const at = 64;
  const b = ntlm(3)
    .u16le(0, 0)
    .u32le(at)
    .u16le(24, 24)
    .u32le(at)
    .u16le(0, 0)
    .u32le(at + 24);
  b.u16le(user.length * 2, user.length * 2)
    .u32le(at + 24)
    .u16le(0, 0)
    .u32le(at + 24)
    .u16le(0, 0)
    .u32le(at + 24)
    .u32le(0x62888215);
  return setup(s, b.put(randomBytes(random, 24)).wide(user).done());
}

export const smbSetUp = (s: SmbSession, ok = true): Uint8Array => setUp(s, new Uint8Array(0), ok ? 0 : 0xc000006d);

export function smbTree(s: SmbSession, share: string): Uint8Array {
  return smb(s, SMB.tree, false, new Bytes().u16le(9, 0, 72, share.length * 2).wide(share));
}

export const smbTreeDone = (s: SmbSession): Uint8Array =>
  smb(s, SMB.tree, true, new Bytes().u16le(16).u8(1, 0).u32le(0, 0, 0x1f01ff));

export function smbCreate(s: SmbSession, name: string, write: boolean): Uint8Array {
  const b = new Bytes()
    .u16le(57)
    .u8(0, 0)
    .u32le(2)
    .zeros(16)
    .u32le(write ? 0x13019f : 0x120089, 0x80, 7, write ? 3 : 1, 0x40);
  return smb(
    s,
    SMB.create,
    false,
    b
      .u16le(120, name.length * 2)
      .u32le(0, 0)
      .wide(name),
  );
}

const fileId = (b: Bytes, file: number): Bytes => b.u32le(file, 0, file, 0);

export const smbCreated = (s: SmbSession, file: number, size: number): Uint8Array =>
  smb(
    s,
    SMB.create,
    true,
    fileId(new Bytes().u16le(89, 0).u32le(1).zeros(32).u32le(size, 0, size, 0, 0x80, 0), file).u32le(0, 0),
  );

export const smbRead = (s: SmbSession, file: number, offset: number, length: number): Uint8Array =>
  smb(
    s,
    SMB.read,
    false,
    fileId(new Bytes().u16le(49).u8(0x50, 0).u32le(length, offset, 0), file)
      .u32le(1, 0, 0, 0)
      .u8(0),
  );

export const smbReadDone = (s: SmbSession, data: Uint8Array): Uint8Array =>
  smb(s, SMB.read, true, new Bytes().u16le(17).u8(80, 0).u32le(data.length, 0, 0).put(data));

export const smbWrite = (s: SmbSession, file: number, offset: number, data: Uint8Array): Uint8Array =>
  smb(
    s,
    SMB.write,
    false,
    fileId(new Bytes().u16le(49, 112).u32le(data.length, offset, 0), file)
      .u32le(0, 0, 0, 0)
      .put(data),
  );

export const smbWritten = (s: SmbSession, length: number): Uint8Array =>
  smb(s, SMB.write, true, new Bytes().u16le(17, 0).u32le(length, 0, 0));

/** Renames an open file (FileRenameInformation). */
export function smbRename(s: SmbSession, file: number, name: string): Uint8Array {
  const info = new Bytes()
    .u32le(0, 0, 0, 0, name.length * 2)
    .wide(name)
    .done();
  return smb(
    s,
    SMB.setInfo,
    false,
    fileId(new Bytes().u16le(33).u8(1, 10).u32le(info.length).u16le(96, 0).u32le(0), file).put(info),
  );
}

export const smbRenamed = (s: SmbSession): Uint8Array => smb(s, SMB.setInfo, true, new Bytes().u16le(2));

export const smbClose = (s: SmbSession, file: number): Uint8Array =>
  smb(s, SMB.close, false, fileId(new Bytes().u16le(24, 0).u32le(0), file));

export const smbClosed = (s: SmbSession): Uint8Array => smb(s, SMB.close, true, new Bytes().u16le(60, 0).zeros(56));
