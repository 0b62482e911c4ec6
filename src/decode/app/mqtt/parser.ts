/**
 * MQTT 3.1, 3.1.1 and 5.0 (OASIS):
 *
 *   packet    = type << 4 | flags (1) length(1 to 4, seven bits each, least first) body
 *   type      = 1 CONNECT | 2 CONNACK | 3 PUBLISH | 4 to 7 acknowledgements | 8 SUBSCRIBE | 9 SUBACK | 10 UNSUBSCRIBE |
 *               11 UNSUBACK | 12 PINGREQ | 13 PINGRESP | 14 DISCONNECT | 15 AUTH
 *   CONNECT   = name level(1) flags(1) keep alive(2) [ properties ] client [ [ properties ] will topic, will ] [ user ] [ password ]
 *   PUBLISH   = topic [ id(2) if qos ] [ properties ] content
 *   SUBSCRIBE = id(2) [ properties ] { filter options(1) };  UNSUBSCRIBE the same without options
 *   string    = length(2) bytes;  properties (version 5) = length(as above) bytes
 */
import { find, startsWith } from '../ascii.ts';
import { mqttConnack, mqttConnect, mqttDisconnect, mqttPublish, mqttSubscribe } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const MOST_FILTERS = 64;

/** The number that was read last by {@link readLength}, and how many bytes it took (0 not whole, -1 bad). */
export const variable = { value: 0, size: 0 };

export function readLength(bytes: Uint8Array, at: number, end: number): void {
  variable.value = 0;
  variable.size = 0;
  let scale = 1;
  for (let i = 0; i < 4; i++) {
    if (at + i >= end) return;
    variable.value += (bytes[at + i]! & 0x7f) * scale;
    if (bytes[at + i]! < 0x80) {
      variable.size = i + 1;
      return;
    }
    scale *= 128;
  }
  variable.size = -1;
}

/** Whether type and flags of the first byte may be. */
export function isHeader(byte: number): boolean {
  const type = byte >> 4;
  const flags = byte & 15;
  if (type === 0) return false;
  if (type === 3) return (flags & 6) !== 6;
  if (type === 6 || type === 8 || type === 10) return (flags & 7) === 2;
  return flags === 0;
}

/** 1 a CONNECT begins here, 0 cannot tell yet, -1 none does. */
export function looksLikeConnect(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return 0;
  if (bytes[at] !== 0x10) return -1;
  readLength(bytes, at + 1, end);
  if (variable.size <= 0) return variable.size;
  const body = at + 1 + variable.size;
  if (variable.value < 10) return -1;
  if (end - body < 9) return end - body >= 2 && bytes[body] !== 0 ? -1 : 0;
  if (bytes[body] === 0 && bytes[body + 1] === 4 && startsWith(bytes, body + 2, end, 'MQTT')) return 1;
  return bytes[body] === 0 && bytes[body + 1] === 6 && startsWith(bytes, body + 2, end, 'MQIsdp') ? 1 : -1;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** After the string at `at`, or -1. */
function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0 || end - at < 2) return -1;
  const stop = at + 2 + u16(bytes, at);
  return stop <= end ? stop : -1;
}

/** After the properties at `at`, or -1. */
function propertiesEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0) return -1;
  readLength(bytes, at, end);
  if (variable.size <= 0) return -1;
  const stop = at + variable.size + variable.value;
  return stop <= end ? stop : -1;
}

/** Level of the protocol in a CONNECT whose body is whole; -1 where it is bad. */
export function readConnect(bytes: Uint8Array, body: number, end: number, out: ObservationSink): number {
  let at = stringEnd(bytes, body, end);
  if (at < 0 || end - at < 4) return -1;
  const level = bytes[at]! & 0x7f;
  const flags = bytes[at + 1]!;
  const keepAlive = u16(bytes, at + 2);
  at += 4;
  if (level === 5) at = propertiesEnd(bytes, at, end);
  const clientEnd = stringEnd(bytes, at, end);
  if (clientEnd < 0) return -1;
  const field = mqttConnect.at;
  out.begin(mqttConnect);
  out.text(field.client_id, bytes, at + 2, clientEnd);
  out.number(field.version, level);
  out.number(field.keep_alive_s, keepAlive);
  out.number(field.clean, (flags >> 1) & 1);
  out.number(field.has_password, (flags >> 6) & 1);
  out.number(field.has_will, (flags >> 2) & 1);
  at = clientEnd;
  if ((flags & 4) !== 0) {
    if (level === 5) at = propertiesEnd(bytes, at, end);
    at = stringEnd(bytes, stringEnd(bytes, at, end), end);
  }
  const userEnd = (flags & 0x80) !== 0 ? stringEnd(bytes, at, end) : -1;
  if (userEnd > 0) out.token(field.user, bytes, at + 2, userEnd);
  out.end();
  return at < 0 ? -1 : level;
}

export function readConnack(bytes: Uint8Array, body: number, end: number, out: ObservationSink): boolean {
  if (end - body < 2) return false;
  out.begin(mqttConnack);
  out.number(mqttConnack.at.session, bytes[body]! & 1);
  out.number(mqttConnack.at.code, bytes[body + 1]!);
  out.end();
  return true;
}

function levels(bytes: Uint8Array, at: number, end: number): number {
  let count = 1;
  for (; at < end; at++) if (bytes[at] === 0x2f) count++;
  return count;
}

/** First level of a topic; a leading slash makes it empty, then the second is told. */
function rootEnd(bytes: Uint8Array, at: number, end: number): number {
  return find(bytes, at, end, 0x2f);
}

/** `shown` is where the bytes that are here end: the topic must lie before it. */
export function readPublish(
  bytes: Uint8Array,
  first: number,
  body: number,
  shown: number,
  length: number,
  out: ObservationSink,
): boolean {
  const topicEnd = stringEnd(bytes, body, shown);
  if (topicEnd < 0) return false;
  const field = mqttPublish.at;
  const from = body + 2;
  const root = bytes[from] === 0x2f && topicEnd > from ? from + 1 : from;
  out.begin(mqttPublish);
  out.text(field.topic_root, bytes, root, rootEnd(bytes, root, topicEnd));
  out.token(field.topic, bytes, from, topicEnd);
  out.number(field.levels, levels(bytes, from, topicEnd));
  out.number(field.qos, (first >> 1) & 3);
  out.number(field.retain, first & 1);
  out.number(field.bytes, length);
  out.end();
  return true;
}

export function readSubscribe(
  bytes: Uint8Array,
  body: number,
  end: number,
  level: number,
  unsubscribe: boolean,
  out: ObservationSink,
): boolean {
  let at = body + 2;
  if (level === 5) at = propertiesEnd(bytes, at, end);
  const firstFrom = at + 2;
  const firstEnd = stringEnd(bytes, at, end);
  if (firstEnd < 0) return false;
  let count = 0;
  let wildcard = 0;
  let everything = 0;
  let good = true;
  while (at < end && count < MOST_FILTERS) {
    const stop = stringEnd(bytes, at, end);
    if (stop < 0) {
      good = false;
      break;
    }
    for (let i = at + 2; i < stop; i++) if (bytes[i] === 0x23 || bytes[i] === 0x2b) wildcard = 1;
    if (stop - at === 3 && bytes[at + 2] === 0x23) everything = 1;
    count++;
    at = unsubscribe ? stop : stop + 1;
  }
  const field = mqttSubscribe.at;
  const root = bytes[firstFrom] === 0x2f && firstEnd > firstFrom ? firstFrom + 1 : firstFrom;
  out.begin(mqttSubscribe);
  out.text(field.topic_root, bytes, root, rootEnd(bytes, root, firstEnd));
  out.token(field.topic, bytes, firstFrom, firstEnd);
  out.number(field.filters, count);
  out.number(field.wildcard, wildcard);
  out.number(field.everything, everything);
  out.number(field.unsubscribe, unsubscribe ? 1 : 0);
  out.end();
  return good;
}

export function readDisconnect(bytes: Uint8Array, body: number, end: number, out: ObservationSink): void {
  out.begin(mqttDisconnect);
  out.number(mqttDisconnect.at.reason, end > body ? bytes[body]! : 0);
  out.end();
}
