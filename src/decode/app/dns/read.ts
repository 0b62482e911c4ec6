/** Turns a DNS message into observations. */
import { dnsQuery, dnsResponse } from './events.ts';
import {
  createName,
  firstLabelEntropy,
  HEADER_BYTES,
  readAnswers,
  readName,
  shownFrom,
  tellFault,
  typeName,
} from './parser.ts';
import type { Answers } from './parser.ts';
import type { ObservationSink } from '../../observation.ts';

const ALL_LABELS = 128;
const ZONE_LABELS = 3;

// Scratch for the message at hand: nothing of it outlives a call, and a flow needs no state of its own.
const name = createName();
const answers: Answers = { addresses: '', ttl: -1, dataBytes: 0 };

/** Reads one message; the range must hold at least a header. */
export function readMessage(bytes: Uint8Array, start: number, end: number, cut: boolean, out: ObservationSink): void {
  const flags = (bytes[start + 2]! << 8) | bytes[start + 3]!;
  const questions = (bytes[start + 4]! << 8) | bytes[start + 5]!;
  const count = (bytes[start + 6]! << 8) | bytes[start + 7]!;
  const id = (bytes[start]! << 8) | bytes[start + 1]!;
  const opcode = (flags >> 11) & 15;
  let at = start + HEADER_BYTES;
  let type = -1;
  for (let i = 0; i < questions && i < 8; i++) {
    at = readName(name, bytes, start, at, end);
    if (at < 0 || end - at < 4) {
      if (at < 0) tellFault(name, cut, out);
      else if (!cut) out.event('dns_bad_record');
      at = -1;
      break;
    }
    type = (bytes[at]! << 8) | bytes[at + 1]!;
    at += 4;
    if ((flags & 0x8000) === 0) {
      const field = dnsQuery.at;
      out.begin(dnsQuery);
      out.text(field.name, name.text, shownFrom(name, ALL_LABELS), name.length);
      out.text(field.zone, name.text, shownFrom(name, ZONE_LABELS), name.length);
      out.number(field.name_length, name.length);
      out.number(field.labels, name.labels);
      out.number(field.first_label_length, name.firstLabelLength);
      out.number(field.entropy, firstLabelEntropy(name));
      out.string(field.query_type, typeName(type));
      out.number(field.id, id);
      out.number(field.questions, questions);
      out.number(field.opcode, opcode);
      out.end();
    }
  }
  if ((flags & 0x8000) === 0) return;
  const shown = type < 0 ? name.length : shownFrom(name, ALL_LABELS);
  const field = dnsResponse.at;
  out.begin(dnsResponse);
  if (type >= 0) {
    out.text(field.name, name.text, shown, name.length);
    out.text(field.zone, name.text, shownFrom(name, ZONE_LABELS), name.length);
    out.number(field.name_length, name.length);
    out.string(field.query_type, typeName(type));
  }
  out.number(field.rcode, flags & 15);
  out.number(field.answers, count);
  if (at >= 0) {
    readAnswers(answers, name, bytes, start, at, end, count, cut, out);
    out.string(field.addresses, answers.addresses);
    if (answers.ttl >= 0) out.number(field.ttl_s, answers.ttl);
    out.number(field.data_bytes, answers.dataBytes);
  }
  out.number(field.authoritative, (flags >> 10) & 1);
  out.number(field.truncated, (flags >> 9) & 1);
  out.number(field.id, id);
  out.number(field.opcode, opcode);
  out.end();
}
