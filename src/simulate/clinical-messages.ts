/**
 * Messages of clinical protocols, written from their public standards. Patients are invented.
 */
import { Bytes, latin } from './bytes.ts';

function two(n: number): string {
  return String(n).padStart(2, '0');
}

/** HL7 time stamp (TS), UTC, to the second. */
export function hl7Time(us: number): string {
  const d = new Date(us / 1000);
  return `${d.getUTCFullYear()}${two(d.getUTCMonth() + 1)}${two(d.getUTCDate())}${two(d.getUTCHours())}${two(d.getUTCMinutes())}${two(d.getUTCSeconds())}`;
}

export interface Hl7Party {
  readonly app: string;
  readonly facility: string;
}

/** MLLP block (HL7 Transport Specification, release 1): 0B message 1C 0D. */
function mllp(segments: string[]): Uint8Array {
  return latin(`\x0b${segments.join('\r')}\r\x1c\r`);
}

export function hl7Message(
  type: string,
  from: Hl7Party,
  to: Hl7Party,
  controlId: string,
  timeUs: number,
  segments: string[],
): Uint8Array {
  const time = hl7Time(timeUs);
  return mllp([
    `MSH|^~\\&|${from.app}|${from.facility}|${to.app}|${to.facility}|${time}||${type}|${controlId}|P|2.6`,
    ...segments,
  ]);
}

export function hl7Ack(from: Hl7Party, to: Hl7Party, controlId: string, timeUs: number): Uint8Array {
  return hl7Message('ACK', from, to, `A${controlId}`, timeUs, [`MSA|AA|${controlId}`]);
}

/** Vital signs as results: HR, SpO2, RR by their LOINC codes. */
export function vitals(patient: string, timeUs: number, values: readonly number[]): string[] {
  const codes = ['8867-4^Heart rate^LN', '59408-5^SpO2^LN', '9279-1^Resp rate^LN'];
  const units = ['/min', '%', '/min'];
  return [
    `PID|||${patient}^^^SIM^MR||Simulated^${patient}`,
    `OBR|1|||VITALS|||${hl7Time(timeUs)}`,
    ...values.map((v, i) => `OBX|${i + 1}|NM|${codes[i % 3]!}||${v}|${units[i % 3]!}|||||F`),
  ];
}

// ---- DICOM upper layer (PS3.8) ----

const IMPLICIT_LE = '1.2.840.10008.1.2';
export const SOP = {
  echo: '1.2.840.10008.1.1',
  worklist: '1.2.840.10008.5.1.4.31',
  find: '1.2.840.10008.5.1.4.1.2.2.1',
  move: '1.2.840.10008.5.1.4.1.2.2.2',
  ct: '1.2.840.10008.5.1.4.1.1.2',
  mr: '1.2.840.10008.5.1.4.1.1.4',
  us: '1.2.840.10008.5.1.4.1.1.6.1',
  xray: '1.2.840.10008.5.1.4.1.1.1.1',
} as const;

function pdu(type: number, body: Uint8Array): Uint8Array {
  return new Bytes().u8(type, 0).u32(body.length).put(body).done();
}

function item(type: number, body: Uint8Array): Uint8Array {
  return new Bytes().u8(type, 0).u16(body.length).put(body).done();
}

/** A-ASSOCIATE-RQ, or -AC where `accepted`; one presentation context per abstract syntax, odd ids from 1. */
export function associate(called: string, calling: string, syntaxes: readonly string[], accepted: boolean): Uint8Array {
  const b = new Bytes().u16(1, 0).text(called, 16, 32).text(calling, 16, 32).zeros(32);
  b.put(item(0x10, latin('1.2.840.10008.3.1.1.1')));
  syntaxes.forEach((syntax, i) => {
    const context = new Bytes().u8(2 * i + 1, 0, 0, 0);
    if (!accepted) context.put(item(0x30, latin(syntax)));
    context.put(item(0x40, latin(IMPLICIT_LE)));
    b.put(item(accepted ? 0x21 : 0x20, context.done()));
  });
  const user = new Bytes()
    .put(item(0x51, new Bytes().u32(131_072).done()))
    .put(item(0x52, latin('1.2.826.0.1.3680043.10.1437.1')))
    .put(item(0x55, latin('SIM_1_0')));
  b.put(item(0x50, user.done()));
  return pdu(accepted ? 2 : 1, b.done());
}

export const releaseRequest = (): Uint8Array => pdu(5, new Bytes().zeros(4).done());
export const releaseResponse = (): Uint8Array => pdu(6, new Bytes().zeros(4).done());

/** P-DATA-TF with one presentation data value. */
function pData(context: number, command: boolean, last: boolean, body: Uint8Array): Uint8Array {
  const b = new Bytes()
    .u32(body.length + 2)
    .u8(context, (command ? 1 : 0) | (last ? 2 : 0))
    .put(body);
  return pdu(4, b.done());
}

type Element = readonly [group: number, element: number, value: string | number];

/** Elements in implicit VR little endian (PS3.5); numbers are US. */
function elements(list: readonly Element[]): Uint8Array {
  const b = new Bytes();
  for (const [group, element, value] of list) {
    b.u16le(group, element);
    if (typeof value === 'number') b.u32le(2).u16le(value);
    else {
      const size = value.length + (value.length % 2);
      // UIDs are filled up with NUL, text with a space.
      b.u32le(size).text(value, size, /^[\d.]*$/.test(value) ? 0 : 32);
    }
  }
  return b.done();
}

/** A DIMSE command set (PS3.7) as a PDU. */
function command(context: number, list: readonly Element[]): Uint8Array {
  const body = elements(list);
  const group = new Bytes().u16le(0, 0).u32le(4).u32le(body.length).put(body).done();
  return pData(context, true, true, group);
}

const NO_DATA = 0x0101;

export function echoRequest(id: number): Uint8Array {
  return command(1, [
    [0, 0x0002, SOP.echo],
    [0, 0x0100, 0x0030],
    [0, 0x0110, id],
    [0, 0x0800, NO_DATA],
  ]);
}

export function response(
  context: number,
  sop: string,
  field: number,
  id: number,
  status: number,
  withData = false,
): Uint8Array {
  return command(context, [
    [0, 0x0002, sop],
    [0, 0x0100, field],
    [0, 0x0120, id],
    [0, 0x0800, withData ? 0 : NO_DATA],
    [0, 0x0900, status],
  ]);
}

export function storeRequest(context: number, sop: string, instance: string, id: number): Uint8Array {
  return command(context, [
    [0, 0x0002, sop],
    [0, 0x0100, 0x0001],
    [0, 0x0110, id],
    [0, 0x0700, 0],
    [0, 0x0800, 0],
    [0, 0x1000, instance],
  ]);
}

export function findRequest(context: number, sop: string, id: number): Uint8Array {
  return command(context, [
    [0, 0x0002, sop],
    [0, 0x0100, 0x0020],
    [0, 0x0110, id],
    [0, 0x0700, 0],
    [0, 0x0800, 0],
  ]);
}

export function moveRequest(context: number, id: number, destination: string): Uint8Array {
  return command(context, [
    [0, 0x0002, SOP.move],
    [0, 0x0100, 0x0021],
    [0, 0x0110, id],
    [0, 0x0600, destination],
    [0, 0x0700, 0],
    [0, 0x0800, 0],
  ]);
}

/** Identifier of a query, or an answer to it. */
export function identifier(context: number, patient: string, study: string, level: boolean): Uint8Array {
  const list: Element[] = [];
  if (level) list.push([0x0008, 0x0052, 'STUDY']);
  list.push([0x0010, 0x0010, patient], [0x0010, 0x0020, patient], [0x0020, 0x000d, study]);
  return pData(context, false, true, elements(list));
}

/** First part of an object: its header and the beginning of the pixel data of `pixels` bytes. */
export function imageHeader(
  context: number,
  sop: string,
  instance: string,
  patient: string,
  study: string,
  pixels: number,
): Uint8Array {
  const head = elements([
    [0x0008, 0x0016, sop],
    [0x0008, 0x0018, instance],
    [0x0010, 0x0010, patient],
    [0x0010, 0x0020, patient],
    [0x0020, 0x000d, study],
  ]);
  return pData(context, false, false, new Bytes().put(head).u16le(0x7fe0, 0x0010).u32le(pixels).done());
}

/** Largest piece of an object in one PDU, within the length that both sides take. */
export const IMAGE_PIECE = 131_000;

export function imagePart(context: number, bytes: Uint8Array, last: boolean): Uint8Array {
  return pData(context, false, last, bytes);
}

// ---- ASTM E1394 records in E1381 frames (LIS1-A, LIS2-A2) ----

export const ENQ = Uint8Array.of(5);
export const ACK = Uint8Array.of(6);
export const EOT = Uint8Array.of(4);

export function astmFrame(number: number, record: string): Uint8Array {
  const text = `${number % 8}${record}\r\x03`;
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (sum + text.charCodeAt(i)) & 255;
  return latin(`\x02${text}${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`);
}

// ---- Philips IntelliVue data export, as its programming guide gives the framing ----

export function ivConnect(mac: Uint8Array, ip: Uint8Array): Uint8Array {
  const attributes = new Bytes().u16(0xf100, 14).put(mac).put(ip).u32(0xffffff00).done();
  const body = new Bytes().u16(1, attributes.length).put(attributes).done();
  const event = new Bytes().u16(0x21, 0, 0).u32(0).u16(0x0d16, body.length).put(body).done();
  const remote = new Bytes().u16(1, 0, event.length).put(event).done();
  return new Bytes().u8(0, 1, 0, 0).u16(1, remote.length).put(remote).done();
}

export function ivAssociation(step: 'request' | 'accept' | 'release' | 'released'): Uint8Array {
  if (step === 'release')
    return Uint8Array.of(
      0x09,
      0x18,
      0xc1,
      0x16,
      0x61,
      0x80,
      0x30,
      0x80,
      0x02,
      0x01,
      0x01,
      0xa0,
      0x80,
      0x62,
      0x80,
      0x80,
      0x01,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
    );
  if (step === 'released')
    return Uint8Array.of(
      0x0a,
      0x18,
      0xc1,
      0x16,
      0x61,
      0x80,
      0x30,
      0x80,
      0x02,
      0x01,
      0x01,
      0xa0,
      0x80,
      0x63,
      0x80,
      0x80,
      0x01,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
    );
  const user = new Bytes().u8(0x05, 0x08, 0x13, 0x01, 0x00, 0x16, 0x01, 0x02, 0x80, 0x00, 0x14, 0x02, 0x00, 0x02, 0xc1);
  const rest = new Bytes().u8(0x31, 0x80, 0xa0, 0x80, 0x80, 0x01, 0x01, 0, 0, 0xa2, 0x80).zeros(80).done();
  user.u8(rest.length).put(rest);
  return new Bytes()
    .u8(step === 'request' ? 0x0d : 0x0e, user.length)
    .put(user.done())
    .done();
}

function ivData(type: 1 | 2, invoke: number, command: number, body: Uint8Array): Uint8Array {
  return new Bytes()
    .u16(0xe100, 2, type, body.length + 6, invoke, command, body.length)
    .put(body)
    .done();
}

export function ivMdsCreate(
  invoke: number,
  vendor: string,
  model: string,
  serial: string,
  software: string,
): Uint8Array {
  const even = (text: string): Uint8Array => {
    const size = text.length + 1 + ((text.length + 1) % 2);
    return new Bytes().u16(size).text(text, size).done();
  };
  const name = new Bytes().put(even(vendor)).put(even(model)).done();
  const specs: [number, string][] = [
    [1, serial],
    [4, software],
  ];
  const entries = new Bytes();
  for (const [kind, text] of specs) entries.u16(kind, 0).put(even(text));
  const production = new Bytes().u16(specs.length, entries.length).put(entries.done()).done();
  const list = new Bytes().u16(0x0928, name.length).put(name).u16(0x092d, production.length).put(production).done();
  const attributes = new Bytes().u16(0x21, 0, 0, 2, list.length).put(list).done();
  return ivData(1, invoke, 1, new Bytes().u16(0x21, 0, 0).u32(0).u16(0x0d06, attributes.length).put(attributes).done());
}

export function ivMdsCreateResult(invoke: number): Uint8Array {
  return ivData(2, invoke, 1, new Bytes().u16(0x21, 0, 0).u32(0).u16(0x0d06, 0).done());
}

/** Poll of the numerics (class 6). */
export function ivPoll(invoke: number): Uint8Array {
  return ivData(1, invoke, 7, new Bytes().u16(0x21, 0, 0).u32(0).u16(0x0c16, 8, invoke, 1, 6, 0).done());
}

export function ivPollResult(invoke: number, seconds: number, values: readonly number[]): Uint8Array {
  const observations = new Bytes();
  values.forEach((value, i) => {
    const seen = new Bytes()
      .u16(0x0950, 10, 0x4182 + i, 0x0000, 0x0aa0)
      .u32(value)
      .done();
    observations.u16(0x0100 + i, 1, seen.length).put(seen);
  });
  const info = new Bytes()
    .u16(1, observations.length + 6, 0, values.length, observations.length)
    .put(observations.done())
    .done();
  const body = new Bytes()
    .u16(invoke)
    .u32((seconds * 8000) >>> 0)
    .zeros(8)
    .u16(1, 6, 0)
    .put(info)
    .done();
  return ivData(2, invoke, 7, new Bytes().u16(0x21, 0, 0).u16(0x0c16, body.length).put(body).done());
}

/** A set operation: the alarm limits of a monitor are changed from afar. */
export function ivSet(invoke: number, value: number): Uint8Array {
  return ivData(1, invoke, 5, new Bytes().u16(0x21, 0, 0).u32(0).u16(1, 8, 0, 0x0901, 2, value).done());
}
