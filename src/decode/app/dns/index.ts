import type { Dissector } from '../../dissector.ts';
import { EXCLUDE } from '../../dissector.ts';
import { dnsEvents, dnsQuery, dnsResponse } from './events.ts';
import { createName, HEADER_BYTES, looksLikeMessage } from './parser.ts';
import { readMessage } from './read.ts';

/** Ports on which the same message form is another protocol. */
const OTHERS = new Set([5353, 5355, 137]);
/** A longer message over TCP is read as far as this. */
const MOST_BYTES = 4096;

// Scratch for a name that the probe looks at: nothing of it outlives the call.
const probed = createName();

/** Unicast DNS over UDP and TCP. */
export const dissector: Dissector<undefined> = {
  name: 'dns',
  transport: ['udp', 'tcp'],
  ports: [53],
  observations: [dnsQuery, dnsResponse],
  events: dnsEvents,
  retain: MOST_BYTES + 2,
  probe(payload) {
    const { bytes, start, end } = payload;
    if (payload.ipProto !== 6 && (OTHERS.has(payload.respPort) || OTHERS.has(payload.origPort))) return 'no';
    const onPort = payload.respPort === 53 || payload.origPort === 53;
    if (payload.ipProto !== 6) {
      if (looksLikeMessage(probed, bytes, start, end, onPort)) return 'yes';
      // On its own port a first message that is broken on purpose must not hide what follows.
      return onPort ? 'more' : 'no';
    }
    if (end - start < 2) return 'more';
    const length = (bytes[start]! << 8) | bytes[start + 1]!;
    if (length < HEADER_BYTES + 5) return payload.first ? 'no' : 'more';
    if (end - start < 2 + Math.min(length, MOST_BYTES)) {
      // The second half of the flags and the counts tell most other protocols apart.
      if (end - start >= 8 && (bytes[start + 6] !== 0 || bytes[start + 7]! > 8)) return 'no';
      return 'more';
    }
    if (looksLikeMessage(probed, bytes, start + 2, start + 2 + Math.min(length, MOST_BYTES), onPort)) return 'yes';
    return payload.first ? 'no' : 'more';
  },
  open: () => undefined,
  read(_state, payload, out) {
    const { bytes, start, end } = payload;
    if (payload.ipProto !== 6) {
      if (end - start < HEADER_BYTES) out.event('dns_bad_header');
      else readMessage(bytes, start, end, payload.cut, out);
      return end - start;
    }
    let at = start;
    while (end - at >= 2) {
      const length = (bytes[at]! << 8) | bytes[at + 1]!;
      if (length < HEADER_BYTES) {
        out.event('dns_bad_header');
        return EXCLUDE;
      }
      const shown = Math.min(length, MOST_BYTES);
      if (end - at < 2 + shown) break;
      if (length > shown) out.event('dns_long_message');
      readMessage(bytes, at + 2, at + 2 + shown, length > shown, out);
      at += 2 + length;
    }
    return at - start;
  },
};
