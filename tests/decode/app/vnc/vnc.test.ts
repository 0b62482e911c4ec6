import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/vnc/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, expectHardened, expectSplitInvariant, orig, resp } from '../../../support/conversation.ts';
import { readStreams, streamTo } from '../../../support/streams.ts';

const conversation = [
  resp('RFB 003.008\n'),
  orig('RFB 003.008\n'),
  resp('\x02\x02\x13'),
  orig('\x02'),
  resp('0123456789abcdef'),
  orig('canarycanarycana'),
  resp('\0\0\0\x01\0\0\0\x06canary'),
];

it('follows the handshake of version 3.8 to a refusal', () => {
  expect(dissect(dissector, conversation).seen.map((o) => o.fields)).toEqual([
    { version: '003.008', from_client: 0 },
    { version: '003.008', from_client: 1 },
    { offered: '2,19', chosen: 2 },
    { ok: 0 },
  ]);
});

it('observes the same however the stream is cut', () => {
  expectSplitInvariant(dissector, conversation);
});

it('survives damage and reads nothing outside its payload', () => {
  expectHardened(dissector, conversation);
});

describeWithCaptures('VNC over real captures', (captures) => {
  it('tells refused and accepted logins of version 3.3', () => {
    const results = readStreams(join(captures, 'protocols/zeek/rfb/vnc-mac-to-linux.pcap'))
      .map((stream) => dissect(dissector, stream.chunks, stream).seen.filter((o) => o.kind === 'vnc.auth'))
      .filter((seen) => seen.length > 0)
      .map((seen) => seen.map((o) => o.fields['ok']));
    expect(results).toEqual([[0], [1]]);
  });

  it('reads a connection without password', () => {
    const stream = streamTo(join(captures, 'protocols/suricata/rfb-parser.pcap'), 5900);
    expect(dissect(dissector, stream.chunks).seen.at(-1)?.fields).toEqual({ offered: '1,2', chosen: 1 });
  });
});
