import type { Dissector } from '../../dissector.ts';
import { EXCLUDE } from '../../dissector.ts';
import { decimal, find, isDigit } from '../ascii.ts';
import { syslogEvents, syslogMessage } from './events.ts';
import { hasHeader, priorityEnd, readSyslog } from './parser.ts';

/** Longest message over TCP that is read; of a longer one only this much. */
const MOST_BYTES = 2048;

/** Start of the message after the octet count of RFC 6587, `at` where there is none, -1 where the count is not whole. */
function afterCount(bytes: Uint8Array, at: number, end: number): number {
  let stop = at;
  while (stop < end && stop - at < 6 && isDigit(bytes[stop]!)) stop++;
  if (stop === at) return at;
  if (stop >= end) return -1;
  return bytes[stop] === 0x20 ? stop + 1 : at;
}

/** Syslog over UDP and TCP: which device logs to whom. */
export const dissector: Dissector<undefined> = {
  name: 'syslog',
  transport: ['udp', 'tcp'],
  ports: [514, 601],
  observations: [syslogMessage],
  events: syslogEvents,
  retain: MOST_BYTES + 16,
  probe({ bytes, start, end, ipProto, origPort, respPort, first }) {
    const at = ipProto === 6 ? afterCount(bytes, start, end) : start;
    if (at < 0) return 'more';
    const after = priorityEnd(bytes, at, end);
    if (after < 0) return ipProto === 6 && (end - at < 5 ? bytes[at] === 0x3c || at >= end : !first) ? 'more' : 'no';
    if (hasHeader(bytes, after, end)) return 'yes';
    if (ipProto === 6 && end - after < 16) return 'more';
    // Many devices leave the time out: then the port has to speak for it.
    return ipProto !== 6 && (respPort === 514 || origPort === 514) ? 'yes' : 'no';
  },
  open: () => undefined,
  read(_state, { bytes, start, end, ipProto }, out) {
    if (ipProto !== 6) {
      if (!readSyslog(bytes, start, end, out)) out.event('syslog_bad_header');
      return end - start;
    }
    let at = start;
    while (at < end) {
      const from = afterCount(bytes, at, end);
      if (from < 0) break;
      const counted = from > at ? from + decimal(bytes, at, from - 1) : -1;
      const stop = counted >= 0 ? counted : find(bytes, at, end, 0x0a);
      const whole = counted >= 0 ? counted <= end : stop < end;
      if (!whole && end - from < MOST_BYTES) break;
      if (!whole) out.event('syslog_long');
      const shown = Math.min(stop, end, from + MOST_BYTES);
      if (shown > from && !readSyslog(bytes, from, shown, out)) {
        out.event('syslog_bad_header');
        if (counted >= 0) return EXCLUDE;
      }
      at = counted >= 0 ? counted : Math.min(stop + 1, end);
    }
    return at - start;
  },
};
