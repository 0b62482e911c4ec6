import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/socks/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  orig,
  resp,
} from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';

const conversation = [
  orig('\x05\x02\x00\x02'),
  resp('\x05\x02'),
  orig('\x01\x06canary\x06canary'),
  resp('\x01\x00'),
  orig('\x05\x01\x00\x03\x0bexample.com\x01\xbb'),
  resp('\x05\x00\x00\x01\x7f\0\0\x01\x04\x38'),
  orig('inner'),
];

it('reads version 5 with credentials, and version 4a', () => {
  const result = dissect(dissector, conversation);
  expect(result.seen.map((o) => o.fields)).toEqual([
    { version: 5, command: 1, host: 'example.com', port: 443 },
    { version: 5, ok: 1 },
  ]);
  expectNothingOf(result, ['canary']);
  const four = dissect(dissector, [orig('\x04\x01\0\x50\0\0\0\x01canary\0example.org\0'), resp('\0\x5b\0\0\0\0\0\0')]);
  expect(four.seen.map((o) => o.fields)).toEqual([
    { version: 4, command: 1, host: 'example.org', port: 80 },
    { version: 4, ok: 0 },
  ]);
  expectNothingOf(four, ['canary']);
});

it('observes the same however the stream is cut', () => {
  expectSplitInvariant(dissector, conversation);
});

it('survives damage and reads nothing outside its payload', () => {
  expectHardened(dissector, conversation);
});

describeWithCaptures('SOCKS over real captures', (captures) => {
  it('gives the published JA4 of every client inside a tunnel', () => {
    const name = 'socks-https-example.pcap';
    const snapshot = readFileSync(join(captures, 'standards/ja4/expected', `${name}.rust.snap`), 'utf8');
    const published = [...snapshot.matchAll(/ja4: (t\S+)/g)].map((match) => match[1]!);
    const own = readStreams(join(captures, 'standards/ja4', name))
      .flatMap((stream) => dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }).seen)
      .filter((o) => o.kind === 'tls.client_hello')
      .map((o) => String(o.fields['ja4']));
    expect(published.length).toBeGreaterThan(0);
    expect(own.sort()).toEqual(published.sort());
  });
});
