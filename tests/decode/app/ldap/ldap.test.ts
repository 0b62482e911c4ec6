import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/ldap/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  orig,
  resp,
} from '../../../support/conversation.ts';
import { readStreams, streamTo } from '../../../support/streams.ts';
import expected from './expected-tshark.json' with { type: 'json' };

const tlv = (tag: number, ...parts: string[]): string => {
  const body = parts.join('');
  return String.fromCharCode(tag, body.length) + body;
};
const message = (id: number, ...parts: string[]): string => tlv(0x30, tlv(2, String.fromCharCode(id)), ...parts);

const conversation = [
  orig(message(1, tlv(0x60, tlv(2, '\x03'), tlv(4, 'cn=canary'), tlv(0x80, 'canarypass')))),
  resp(message(1, tlv(0x61, tlv(10, '\x31'), tlv(4, 'canary'), tlv(4, 'canary')))),
  orig(message(2, tlv(0x63, tlv(4, 'dc=canary'), tlv(10, '\x02'), tlv(10, '\x00'), tlv(2, '\0'), tlv(2, '\0'), tlv(1, '\0'), tlv(0x87, 'canary'), tlv(0x30)))),
  resp(message(2, tlv(0x64, tlv(4, 'cn=canary'), tlv(0x30))) + message(2, tlv(0x64, tlv(4, 'cn=canary2'), tlv(0x30)))),
  resp(message(2, tlv(0x65, tlv(10, '\0'), tlv(4), tlv(4)))),
  orig(message(3, tlv(0x4a, 'cn=canary')) + message(4, tlv(0x42))),
]; // prettier-ignore

it('reads operations, results and how many entries were found, and no name or password', () => {
  const result = dissect(dissector, conversation);
  expect(result.seen.map((o) => o.fields)).toMatchObject([
    { operation: 'bind', is_request: 1, auth: 'simple' },
    { operation: 'bind', is_request: 0, result: 49 },
    { operation: 'search', is_request: 1, scope: 'sub' },
    { operation: 'search', is_request: 0, result: 0, entries: 2 },
    { operation: 'delete', is_request: 1 },
    { operation: 'unbind', is_request: 1 },
  ]);
  expect(result.events).toEqual([]);
  expectNothingOf(result, ['canary']);
});

it('observes the same however the stream is cut', () => {
  expectSplitInvariant(dissector, conversation);
});

it('survives damage and reads nothing outside its payload', () => {
  expectHardened(dissector, conversation);
  expectHardened(dissector, conversation, { transport: 'udp' });
});

it('leaves SNMP alone', () => {
  const snmp = '\x30\x1a\x02\x01\x00\x04\x06public\xa0\x0d\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x02\x05\x00';
  expect(dissect(dissector, [orig(snmp)], { transport: 'udp' }).taken).toBe(false);
});

describeWithCaptures('LDAP over real captures', (captures) => {
  // `tshark -r FILE -Y ldap -T fields -e ldap.protocolOp`, version 4.0.17; it also reads what is signed but
  // not sealed after a login by Kerberos, which is left out here.
  it.each(Object.entries(expected))('counts operations as tshark does in %s', (name, wanted) => {
    const counts: Record<string, number> = {};
    for (const stream of readStreams(join(captures, name))) {
      for (const o of dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }).seen) {
        if (o.kind !== 'ldap.message') continue;
        const key = `${String(o.fields['operation'])} ${o.fields['is_request'] === 1 ? 'req' : 'res'}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
    }
    expect(counts).toEqual(wanted);
  });

  it('goes on as TLS after StartTLS and reads NTLM inside SASL', () => {
    const tls = streamTo(join(captures, 'protocols/zeek/ldap/ldap-starttls.pcap'), 389);
    expect(dissect(dissector, tls.chunks).seen.map((o) => o.kind)).toContain('tls.server_hello');
    const ntlm = streamTo(join(captures, 'protocols/zeek/ldap/sasl-ntlm.pcap'), 389);
    expect(dissect(dissector, ntlm.chunks).seen.map((o) => o.kind)).toEqual(
      expect.arrayContaining(['ntlm.challenge', 'ntlm.auth']),
    );
  });
});
