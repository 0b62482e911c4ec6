import { findByte } from '../../../lib/ascii.ts';
import { number, observation, text } from '../../observation.ts';
import type { ObservationSink } from '../../observation.ts';

/**
 * Messages of IEEE 11073-20701 (SDC) as their SOAP header names them. SDC speaks SOAP 1.2 over HTTP, usually within
 * TLS with certificates on both sides; where a device (or a wrong set-up) speaks it in clear, the header says what is
 * asked for before any value comes:
 *
 *     envelope = "<" [prefix ":"] "Envelope" … "<" prefix ":Action" … ">" action "</"
 *     action   = "http://standards.ieee.org/downloads/11073/11073-20701-2018/" service "/" message
 *     body     = … "<" prefix ":OperationHandleRef" … ">" handle "</"        (requests of the set and context services)
 *
 * Nothing else of the body is looked at: it holds measured values, and in contexts the patient.
 */
export const sdcMessage = observation('sdc.message', 'Message of IEEE 11073 SDC in clear text, by its SOAP action.', {
  service: text('Service of IEEE 11073-20701: GetService, SetService, ContextService, StateEventService, …'),
  message: text('Message of the service: GetMdib, SetValue, SetAlertState, Activate, EpisodicMetricReport, …'),
  handle: text('Handle of the operation that is called: a name of the device’s own description.'),
  sets: number('1 where the message asks the device to change something.'),
});

const ACTION = bytesOf('Action');
const HANDLE = bytesOf('OperationHandleRef');
const PREFIX = bytesOf('http://standards.ieee.org/downloads/11073/11073-20701-2018/');
/** Header and operation handle of every message seen lie within this; what lies beyond is not waited for. */
export const SOAP_HEAD = 2048;
const LONGEST_NAME = 64;

/** Requests by which a consumer changes something at a device (IEEE 11073-10207 section 5, set service). */
const SETS = new Set(['SetValue', 'SetString', 'SetAlertState', 'SetMetricState', 'SetComponentState', 'Activate']);
const SETS_CONTEXT = 'SetContextState';

/** Observes the message whose body begins at `start`; silent where it is none of SDC. */
export function readSdc(bytes: Uint8Array, start: number, end: number, out: ObservationSink): void {
  const limit = Math.min(end, start + SOAP_HEAD);
  const action = elementText(bytes, start, limit, ACTION);
  if (action < 0) return;
  const actionEnd = findByte(bytes, 0x3c, action, limit);
  if (actionEnd < 0 || !agrees(bytes, action, actionEnd, PREFIX)) return;
  const service = action + PREFIX.length;
  const slash = findByte(bytes, 0x2f, service, actionEnd);
  if (slash < 0 || !isName(bytes, service, slash) || !isName(bytes, slash + 1, actionEnd)) return;
  const message = nameAt(bytes, slash + 1, actionEnd);
  const sets = SETS.has(message) || message === SETS_CONTEXT;
  out.begin(sdcMessage);
  out.text(sdcMessage.at.service, bytes, service, slash);
  out.string(sdcMessage.at.message, message);
  if (sets) {
    out.number(sdcMessage.at.sets, 1);
    const handle = elementText(bytes, actionEnd, limit, HANDLE);
    const handleEnd = handle < 0 ? -1 : findByte(bytes, 0x3c, handle, limit);
    if (handleEnd > handle && isName(bytes, handle, handleEnd))
      out.text(sdcMessage.at.handle, bytes, handle, handleEnd);
  }
  out.end();
}

/** Where the text of the first element of this local name begins; -1 where there is none. */
function elementText(bytes: Uint8Array, start: number, end: number, name: Uint8Array): number {
  for (let at = start; ;) {
    const open = findByte(bytes, 0x3c, at, end);
    if (open < 0) return -1;
    at = open + 1;
    // An end tag, a comment, a declaration.
    const first = bytes[at]!;
    if (at >= end || first === 0x2f || first === 0x21 || first === 0x3f) continue;
    let local = at;
    for (let i = at; i < end && isNameByte(bytes[i]!); i++) if (bytes[i] === 0x3a) local = i + 1;
    const after = local + name.length;
    if (after >= end || !agrees(bytes, local, end, name) || isNameByte(bytes[after]!)) continue;
    const close = findByte(bytes, 0x3e, after, end);
    return close < 0 || bytes[close - 1] === 0x2f ? -1 : close + 1;
  }
}

function agrees(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start < expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

function isNameByte(byte: number): boolean {
  const lower = byte | 0x20;
  return (
    (lower >= 0x61 && lower <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x3a) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f
  );
}

function isName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start || end - start > LONGEST_NAME) return false;
  for (let i = start; i < end; i++) if (!isNameByte(bytes[i]!)) return false;
  return true;
}

function nameAt(bytes: Uint8Array, start: number, end: number): string {
  let name = '';
  for (let i = start; i < end; i++) name += String.fromCharCode(bytes[i]!);
  return name;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
