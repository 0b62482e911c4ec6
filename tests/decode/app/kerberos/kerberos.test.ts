import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/kerberos/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, expectHardened, expectNothingOf, expectSplitInvariant, orig } from '../../../support/conversation.ts';
import type { Seen } from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';
import expected from './expected-tshark.json' with { type: 'json' };

function count(values: readonly (string | number | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) if (value !== undefined) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}

describeWithCaptures('Kerberos over real captures', (captures) => {
  const observe = (name: string): Seen[] =>
    readStreams(join(captures, name)).flatMap(
      (stream) => dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }).seen,
    );

  // `tshark -r FILE -Y kerberos -T fields -e kerberos.msg_type -e kerberos.error_code`, version 4.0.17.
  it.each(Object.entries(expected))('counts types and errors as tshark does in %s', (name, wanted) => {
    const seen = observe(name);
    expect({
      types: count(seen.map((o) => o.fields['type'])),
      errors: count(seen.map((o) => o.fields['error_code'])),
    }).toEqual(wanted);
  });

  it('shows a ticket of the old cipher for a service', () => {
    const fields = observe('protocols/suricata/krb5-kerberoasting.pcap').map((o) => o.fields);
    expect(fields[1]).toMatchObject({ type: 'tgs_rep', etype: 23 });
  });

  it('hides names of users', () => {
    for (const stream of readStreams(join(captures, 'protocols/ndpi/kerberos-login.pcap'))) {
      expectNothingOf(dissect(dissector, stream.chunks, stream), ['administrator', 'xp1$']);
    }
  });

  const overTcp = readStreams(
    join(captures, 'attacks/windows/pcap-attack/CredAccess__CA_kerbrute_passwordspray_kerberos_AS-REQ.pcapng'),
  ).filter((stream) => stream.respPort === 88 && stream.transport === 'tcp');
  const overUdp = readStreams(join(captures, 'protocols/ndpi/kerberos-error.pcap'))[0]!;

  it('observes the same however the stream is cut', () => {
    for (const stream of overTcp.slice(0, 2))
      expectSplitInvariant(dissector, stream.chunks, { midStream: !stream.fromStart });
  });

  it('survives damage and reads nothing outside its payload', () => {
    for (const stream of overTcp.slice(0, 1)) expectHardened(dissector, stream.chunks);
    expectHardened(dissector, overUdp.chunks, { transport: 'udp' });
  });
});

it('does not take other protocols', () => {
  expect(
    dissect(dissector, [orig('\x6a\x81\x03abc and more of it, but no Kerberos')], { transport: 'udp' }).taken,
  ).toBe(false);
  expect(dissect(dissector, [orig('GET / HTTP/1.1\r\nHost: a\r\n\r\n')]).taken).toBe(false);
});
