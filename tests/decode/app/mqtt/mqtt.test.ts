import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/mqtt/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  bytesOf,
  dissect,
  expectedToken,
  expectSplitInvariant,
  fuzzDissector,
  textsOf,
} from '../../../support/dissect.ts';
import { kindsIn, samplesIn, seenIn } from '../../../support/payloads.ts';

const string = (text: string): Uint8Array => bytesOf([text.length >> 8, text.length & 255], text);
const packet = (first: number, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  const n = content.length;
  return bytesOf(n < 128 ? [first, n] : [first, (n & 127) | 128, n >> 7], content);
};
const connect = packet(
  0x10,
  string('MQTT'),
  [4, 0xc2, 0, 60],
  string('pump-7'),
  string('CANARYUSER'),
  string('CANARYPASSWORD'),
);
const publish = packet(0x33, string('hospital/CANARYPATIENT/hr'), [0, 9], 'CANARYCONTENT'.repeat(500));
const subscribe = packet(0x82, [0, 1], string('hospital/+/hr'), [1], string('#'), [0]);
const connack = packet(0x20, [0, 5]);
const stream = bytesOf(connect, publish, subscribe, packet(0xe0));

describe('mqtt', () => {
  it('reads a session, and neither secrets nor content', () => {
    const outcome = dissect(dissector, [{ bytes: stream }, { bytes: connack, direction: 1 }]);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen).toEqual([
      {
        kind: 'mqtt.connect',
        fields: {
          client_id: 'pump-7',
          version: 4,
          keep_alive_s: 60,
          clean: 1,
          has_password: 1,
          has_will: 0,
          user: expectedToken('CANARYUSER'),
        },
      },
      {
        kind: 'mqtt.publish',
        fields: {
          topic_root: 'hospital',
          topic: expectedToken('hospital/CANARYPATIENT/hr'),
          levels: 3,
          qos: 1,
          retain: 1,
          bytes: publish.length,
        },
      },
      {
        kind: 'mqtt.subscribe',
        fields: {
          topic_root: 'hospital',
          topic: expectedToken('hospital/+/hr'),
          filters: 2,
          wildcard: 1,
          everything: 1,
          unsubscribe: 0,
        },
      },
      { kind: 'mqtt.disconnect', fields: { reason: 0 } },
      { kind: 'mqtt.connack', fields: { code: 5, session: 0 } },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('gives the same at every split', () => {
    expectSplitInvariant(dissector, bytesOf(connect, packet(0x30, string('a/b'), 'x'.repeat(80)), subscribe));
    const pieces = [];
    for (let at = 0; at < stream.length; at += 700) pieces.push({ bytes: stream.subarray(at, at + 700) });
    expect(dissect(dissector, pieces).seen).toEqual(dissect(dissector, [{ bytes: stream }]).seen);
  });

  it('picks up in the middle and after a loss', () => {
    const small = packet(0x30, string('a/b'), 'x');
    expect(dissect(dissector, [{ bytes: small }], { midStream: true }).seen).toHaveLength(1);
    const lost = dissect(dissector, [{ bytes: connect }, { bytes: bytesOf('xyz') }, { bytes: small, gapBefore: true }]);
    expect(lost.events).toContain('mqtt_lost');
    expect(lost.seen).toHaveLength(2);
  });

  it('refuses what is not MQTT', () => {
    for (const other of ['\x10\x0cHello world!', 'GET / HTTP/1.1\r\n\r\n', '\x10\x03abc', '\x16\x03\x01\x02\x00']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () =>
    fuzzDissector(dissector, [bytesOf(connect, subscribe), publish.subarray(0, 300), connack]));
});

describeWithCaptures('mqtt on real traffic', (dir) => {
  // tshark 4.0.17: -Y mqtt -T fields -e mqtt.msgtype.
  it('finds the packets that tshark finds', () => {
    expect(kindsIn(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz')))).toEqual({
      'mqtt.connect': 2,
      'mqtt.connack': 2,
      'mqtt.publish': 551,
    });
    expect(kindsIn(seenIn(dissector, join(dir, 'protocols/suricata/mqtt5-unsub-qos2.pcap')))).toEqual({
      'mqtt.connect': 1,
      'mqtt.connack': 1,
      'mqtt.subscribe': 3,
      'mqtt.disconnect': 1,
    });
  });

  it('survives mutation of real packets', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'protocols/suricata/mqtt5-pub-mosquittoprops.pcap'))));
});
