import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/tls/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { concat, dissect, expectHardened, expectSplitInvariant, orig, resp } from '../../../support/conversation.ts';
import type { Chunk, Seen } from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';
import expected from './expected-tshark.json' with { type: 'json' };

function observe(path: string): Seen[] {
  return readStreams(path).flatMap(
    (stream) => dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }).seen,
  );
}

function values(seen: readonly Seen[], kind: string, field: string): string[] {
  const found = seen.filter((o) => o.kind === kind).map((o) => o.fields[field]);
  return [...new Set(found.filter((v) => v !== undefined).map(String))].sort();
}

describeWithCaptures('TLS over real captures', (captures) => {
  const folder = join(captures, 'standards/ja4');
  // What the published Rust implementation of JA4 gives, for flows over TCP. TLS inside SOCKS and QUIC are
  // other dissectors' matter and tested there.
  const viaTls = readdirSync(folder).filter(
    (name) => existsSync(join(folder, 'expected', `${name}.rust.snap`)) && !name.startsWith('socks'),
  );
  it.each(viaTls)('gives the published JA4 of every client in %s', (name) => {
    const snapshot = readFileSync(join(folder, 'expected', `${name}.rust.snap`), 'utf8');
    const published = [...snapshot.matchAll(/ja4: ([td]\S+)/g)].map((match) => match[1]!);
    const own = observe(join(folder, name))
      .filter((o) => o.kind === 'tls.client_hello')
      .map((o) => String(o.fields['ja4']));
    expect(own.sort()).toEqual(published.sort());
  });

  // `tshark -r FILE -Y tls.handshake.type==1 -T fields -e tls.handshake.ja3` and so on, version 4.0.17.
  it.each(Object.entries(expected))('names clients and ciphers as tshark does in %s', (name, wanted) => {
    const seen = observe(join(captures, name));
    expect(values(seen, 'tls.client_hello', 'ja3')).toEqual(wanted.ja3);
    expect(values(seen, 'tls.client_hello', 'sni')).toEqual(wanted.sni);
    expect(values(seen, 'tls.server_hello', 'cipher')).toEqual(wanted.ciphers);
  });

  it('reads a self-signed certificate', () => {
    const seen = observe(join(captures, 'protocols/arkime/ssl-selfsign.pcap'));
    const certificate = seen.find((o) => o.kind === 'tls.certificate');
    expect(certificate?.fields).toMatchObject({ self_signed: 1, from_client: 0 });
  });

  const hello = (): Chunk[] =>
    readStreams(join(captures, 'protocols/arkime/openssl-tls1_2.pcap'))[0]!.chunks.slice(0, 6);

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, hello());
  });

  it('puts a ClientHello over several records together', () => {
    const chunks = hello();
    const whole = dissect(dissector, chunks);
    const first = chunks[0]!.bytes;
    const body = first.subarray(5);
    const records: Uint8Array[] = [];
    for (let at = 0; at < body.length; at += 50) {
      const part = body.subarray(at, at + 50);
      records.push(concat(Uint8Array.of(22, 3, 1, part.length >> 8, part.length & 255), part));
    }
    const spread = [{ direction: 0, bytes: concat(...records) }, ...chunks.slice(1)];
    expect(dissect(dissector, spread)).toEqual(whole);
    expectSplitInvariant(dissector, spread);
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, hello(), {}, 300);
  });

  it('survives damaged DTLS', () => {
    const stream = readStreams(join(captures, 'standards/ja4/dtls-udp.notest.cap'))[0]!;
    expectHardened(dissector, stream.chunks, { transport: 'udp' });
  });
});

describe('TLS', () => {
  it('does not take other protocols', () => {
    for (const other of [
      'GET / HTTP/1.1\r\n',
      'SSH-2.0-x\r\n',
      '\x16\x04\x01aaaaaaa',
      '\x0bMSH|^~\\&|',
      '\x16\x03\x01\xff\xff\x01\x00\x00\x01',
    ]) {
      expect(dissect(dissector, [orig(other)]).taken).toBe(false);
    }
  });

  it('recognises application data in mid-stream and stays silent', () => {
    const data = concat(Uint8Array.of(23, 3, 3, 0, 20), new Uint8Array(20));
    const result = dissect(dissector, [orig(data), resp(data)], { midStream: true });
    expect(result).toMatchObject({ taken: true, seen: [], events: [] });
    expect(dissect(dissector, [orig(data)]).taken).toBe(false);
  });

  it('does not put a message of megabytes together', () => {
    const record = (body: Uint8Array): Uint8Array =>
      concat(Uint8Array.of(22, 3, 3, body.length >> 8, body.length & 255), body);
    const huge = concat(Uint8Array.of(1, 0, 0xff, 0xff), new Uint8Array(16_000));
    const result = dissect(dissector, [orig(record(huge)), orig(record(new Uint8Array(16_000)))]);
    expect(result.events).toEqual(['tls.handshake_too_long']);
  });
});
