import type { Dissector } from '../../dissector.ts';
import { EXCLUDE, RESP } from '../../dissector.ts';
import { mqttConnack, mqttConnect, mqttDisconnect, mqttEvents, mqttPublish, mqttSubscribe } from './events.ts';
import {
  isHeader,
  looksLikeConnect,
  readConnack,
  readConnect,
  readDisconnect,
  readLength,
  readPublish,
  readSubscribe,
  variable,
} from './parser.ts';

interface MqttState {
  /** Protocol level of the CONNECT, 0 while none was seen. */
  level: number;
  packets: number;
  origLost: boolean;
  respLost: boolean;
}

/** Packets up to this size are read whole, longer ones (PUBLISH) as far as their topic. */
const MOST_BYTES = 4096;

/** MQTT: who connects as what, and which topics it writes and reads. */
export const dissector: Dissector<MqttState> = {
  name: 'mqtt',
  transport: ['tcp'],
  ports: [1883],
  observations: [mqttConnect, mqttConnack, mqttPublish, mqttSubscribe, mqttDisconnect],
  events: mqttEvents,
  retain: MOST_BYTES + 8,
  probe({ bytes, start, end, first, direction }) {
    const sign = looksLikeConnect(bytes, start, end);
    if (sign > 0) return 'yes';
    if (sign === 0) return 'more';
    // The broker's first word, where the client's was missed: CONNACK, whole and small.
    if (
      direction === RESP &&
      end - start >= 4 &&
      bytes[start] === 0x20 &&
      bytes[start + 1] === 2 &&
      bytes[start + 2]! <= 1 &&
      bytes[start + 3]! <= 5
    ) {
      return end - start === 4 ? 'yes' : 'more';
    }
    return first ? 'no' : midStream(bytes, start, end);
  },
  open: () => ({ level: 0, packets: 0, origLost: false, respLost: false }),
  read(state, { bytes, start, end, direction }, out) {
    let at = start;
    if (direction === RESP ? state.respLost : state.origLost) {
      // Senders write whole packets: where a segment does not begin with one, the next is waited for.
      if (midStream(bytes, start, end) !== 'yes') return end - start;
      if (direction === RESP) state.respLost = false;
      else state.origLost = false;
      out.event('mqtt_lost');
    }
    while (end - at >= 2) {
      const head = bytes[at]!;
      readLength(bytes, at + 1, end);
      if (variable.size === 0) break;
      if (!isHeader(head) || variable.size < 0) {
        out.event(variable.size < 0 ? 'mqtt_bad_length' : 'mqtt_bad_packet');
        if (state.packets === 0) return EXCLUDE;
        if (direction === RESP) state.respLost = true;
        else state.origLost = true;
        return end - start;
      }
      const type = head >> 4;
      const body = at + 1 + variable.size;
      const stop = body + variable.value;
      const shown = Math.min(stop, at + MOST_BYTES);
      if (shown > end) break;
      state.packets++;
      let good = true;
      if (type === 3) good = readPublish(bytes, head, body, shown, stop - at, out);
      else if (stop > shown) out.event('mqtt_long_packet');
      else if (type === 1) {
        const level = readConnect(bytes, body, stop, out);
        good = level >= 0;
        if (good) state.level = level;
      } else if (type === 2) good = readConnack(bytes, body, stop, out);
      else if (type === 8 || type === 10) good = readSubscribe(bytes, body, stop, state.level, type === 10, out);
      else if (type === 14) readDisconnect(bytes, body, stop, out);
      if (!good) out.event('mqtt_bad_packet');
      at = stop;
    }
    return at - start;
  },
  gap(state, direction) {
    if (direction === RESP) state.respLost = true;
    else state.origLost = true;
  },
};

/** A segment in the middle of a session: packets that follow one another and end with it, one of them with a topic. */
function midStream(bytes: Uint8Array, start: number, end: number): 'yes' | 'more' {
  let at = start;
  let named = false;
  for (let i = 0; i < 32 && at < end; i++) {
    if (!isHeader(bytes[at]!)) return 'more';
    readLength(bytes, at + 1, end);
    if (variable.size <= 0) return 'more';
    const body = at + 1 + variable.size;
    if (
      bytes[at]! >> 4 === 3 &&
      end - body > 4 &&
      bytes[body] === 0 &&
      bytes[body + 1]! > 2 &&
      bytes[body + 1]! < variable.value
    ) {
      const topicEnd = Math.min(body + 2 + bytes[body + 1]!, end);
      named = true;
      for (let k = body + 2; k < topicEnd; k++) if (bytes[k]! < 0x20 || bytes[k]! > 0x7e) return 'more';
    }
    at = body + variable.value;
  }
  return at === end && named ? 'yes' : 'more';
}
