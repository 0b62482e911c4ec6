import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/telnet/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  inPieces,
  orig,
  resp,
} from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';

const conversation = [
  resp('\xff\xfd\x18\xff\xfd\x20\xff\xfa\x18\x01login:\xff\xf0\r\nbusybox canaryhost login: '),
  orig('\xff\xfc\x18canaryuser\r\n'),
  resp('canaryuser\r\nPassword: '),
  orig('canarypass\r\n'),
  resp('\r\nLogin incorrect\r\nlogin: '),
  orig('root\r\0'),
  resp('root\r\nPassword: '),
  orig('canarypass2\r\0'),
  resp('\r\nLast login: Tue canary\r\n# '),
  orig('cat /canary\r\0'),
  resp('cat /canary\r\nlogin failed incorrect\r\n# '),
];

const outcomes = (chunks: Parameters<typeof dissect>[1]): unknown[] =>
  dissect(dissector, chunks)
    .seen.filter((o) => o.kind === 'telnet.login')
    .map((o) => o.fields['outcome']);

describe('Telnet', () => {
  it('follows a login by its words', () => {
    expect(outcomes(conversation)).toEqual(['prompt', 'attempt', 'failed', 'prompt', 'attempt', 'accepted']);
    expect(dissect(dissector, conversation).seen[0]).toEqual({
      kind: 'telnet.negotiation',
      direction: 1,
      fields: { option: 0x18 },
    });
  });

  it('takes typing on as success and another question as failure', () => {
    const start = [resp('Username: '), orig('a\r\n'), resp('Password:'), orig('b\r\n')];
    expect(outcomes([...start, resp('\r\nrouter>'), orig('enable\r\n')])).toEqual(['prompt', 'attempt', 'accepted']);
    expect(outcomes([...start, resp('\r\nUsername: ')])).toEqual(['prompt', 'attempt', 'failed', 'prompt']);
    expect(outcomes([...start, resp('\r\nPassword: '), orig('c\r\n')])).toEqual([
      'prompt',
      'attempt',
      'failed',
      'attempt',
    ]);
  });

  it('lets nothing typed or shown out', () => {
    expectNothingOf(dissect(dissector, conversation), ['canary', 'root']);
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, conversation);
    expect(outcomes(inPieces(conversation, 1))).toEqual(outcomes(conversation));
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, conversation);
  });

  it('leaves other protocols alone', () => {
    expect(dissect(dissector, [resp('\xff\xd8\xff\xe0')]).taken).toBe(false);
    expect(dissect(dissector, [resp('220 smtp\r\n'), orig('EHLO x\r\n')]).taken).toBe(false);
  });
});

describeWithCaptures('Telnet over real captures', (captures) => {
  it('sees every attempt of a password guesser', () => {
    let attempts = 0;
    let failed = 0;
    for (const stream of readStreams(join(captures, 'clinical/C-brute_telnet.pcap.gz'))) {
      if (stream.transport !== 'tcp' || stream.respPort !== 23) continue;
      for (const o of dissect(dissector, stream.chunks).seen) {
        if (o.fields['outcome'] === 'attempt') attempts++;
        if (o.fields['outcome'] === 'failed') failed++;
      }
    }
    // 20 connections with two passwords each; the capture holds the refusal of the first on each.
    expect({ attempts, failed }).toEqual({ attempts: 40, failed: 20 });
  });
});
