/**
 * LLMNR (RFC 4795): the DNS message of RFC 1035 with one question, on port 5355.
 *
 *   flags = QR opcode(4) C TC T Z(4) rcode(4)
 */
import {
  createName,
  HEADER_BYTES,
  looksLikeMessage,
  readAnswers,
  readName,
  shownFrom,
  tellFault,
  typeName,
} from '../dns/parser.ts';
import type { Answers } from '../dns/parser.ts';
import { llmnrQuery, llmnrResponse } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const ALL_LABELS = 128;

// Scratch for the message at hand: nothing of it outlives a call.
const name = createName();
const answers: Answers = { addresses: '', ttl: -1, dataBytes: 0 };

export function looksLikeLlmnr(bytes: Uint8Array, start: number, end: number): boolean {
  if (!looksLikeMessage(name, bytes, start, end, false)) return false;
  const opcode = (bytes[start + 2]! >> 3) & 15;
  return opcode === 0 && bytes[start + 4] === 0 && bytes[start + 5] === 1 && (bytes[start + 3]! & 0xf0) === 0;
}

export function readLlmnr(bytes: Uint8Array, start: number, end: number, cut: boolean, out: ObservationSink): void {
  const at = readName(name, bytes, start, start + HEADER_BYTES, end);
  if (at < 0 || end - at < 4) {
    if (at < 0) tellFault(name, cut, out);
    return;
  }
  const type = typeName((bytes[at]! << 8) | bytes[at + 1]!);
  const id = (bytes[start]! << 8) | bytes[start + 1]!;
  if ((bytes[start + 2]! & 0x80) === 0) {
    out.begin(llmnrQuery);
    out.text(llmnrQuery.at.name, name.text, shownFrom(name, ALL_LABELS), name.length);
    out.string(llmnrQuery.at.query_type, type);
    out.number(llmnrQuery.at.id, id);
    out.end();
    return;
  }
  const field = llmnrResponse.at;
  const count = (bytes[start + 6]! << 8) | bytes[start + 7]!;
  out.begin(llmnrResponse);
  out.text(field.name, name.text, shownFrom(name, ALL_LABELS), name.length);
  out.string(field.query_type, type);
  readAnswers(answers, name, bytes, start, at + 4, end, count, cut, out);
  out.string(field.addresses, answers.addresses);
  out.number(field.answers, count);
  out.number(field.conflict, (bytes[start + 2]! >> 2) & 1);
  out.number(field.id, id);
  out.end();
}
