import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/quic/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, expectHardened, orig } from '../../../support/conversation.ts';
import type { Seen } from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';

const udp = { transport: 'udp' as const };

describeWithCaptures('QUIC over real captures', (captures) => {
  const observe = (name: string): Seen[] =>
    readStreams(join(captures, name))
      .filter((stream) => stream.transport === 'udp')
      .flatMap((stream) => dissect(dissector, stream.chunks, stream).seen);

  it.each(['chrome-cloudflare-quic-with-secrets.pcapng', 'ssh2.pcapng', 'tls-handshake.pcapng', 'tls-sni.pcapng'])(
    'gives the published JA4 of every client in %s',
    (name) => {
      const snapshot = readFileSync(join(captures, 'standards/ja4/expected', `${name}.rust.snap`), 'utf8');
      const published = [...snapshot.matchAll(/ja4: (q\S+)/g)].map((match) => match[1]!);
      const own = observe(join('standards/ja4', name))
        .filter((o) => o.kind === 'tls.client_hello')
        .map((o) => String(o.fields['ja4']));
      expect(own.sort()).toEqual(published.sort());
    },
  );

  it('gives the JA4 that Suricata publishes', () => {
    const ja4 = observe('protocols/suricata/ja4-quic.pcap').map((o) => o.fields['ja4']);
    expect(ja4).toContain('q13d0310h3_55b375c5d22e_cd85d2d88918');
  });

  // The server names that tshark 4.0.17 shows (`-Y tls.handshake.type==1 -T fields
  // -e tls.handshake.extensions_server_name`); after a Retry, in version 2, and in any order of fragments.
  it.each([
    ['protocols/zeek/quic/quicv2-echo-dpd-custom-port-4433.pcap', '2', 'localhost'],
    ['protocols/zeek/quic/chromium-115.0.5790.110-api-cirrus-com.pcap', '1', 'api.cirrus-ci.com'],
    ['protocols/ndpi/quic-27.pcap', 'draft-27', 'play.google.com'],
    ['protocols/ndpi/quic-34.pcap', 'draft-34', undefined],
  ])('reads version and server name of %s', (name, version, sni) => {
    const seen = observe(name);
    expect(seen[0]!.fields).toEqual({ version });
    expect(seen.find((o) => o.kind === 'tls.client_hello')?.fields['sni']).toBe(sni);
  });

  it.each(['protocols/tcpdump/quic_retry.pcap', 'protocols/suricata/quic-initial-not-first.pcap'])(
    'reads the ClientHello of %s',
    (name) => {
      expect(observe(name).map((o) => o.kind)).toEqual(['quic.initial', 'tls.client_hello']);
    },
  );

  it('survives damage and reads nothing outside its payload', () => {
    const [stream] = readStreams(join(captures, 'protocols/tcpdump/quic_retry.pcap'));
    expectHardened(dissector, stream!.chunks.slice(0, 4), udp, 150);
  });
});

it('does not take what only begins alike', () => {
  const packet = new Uint8Array(1200).fill(0xc0);
  expect(dissect(dissector, [orig(packet)], udp).taken).toBe(false);
  packet.set([0xc0, 0, 0, 0, 1, 30]);
  expect(dissect(dissector, [orig(packet)], udp).taken).toBe(false);
});
