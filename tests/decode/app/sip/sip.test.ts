import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/sip/index.ts';
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
import expected from './expected-tshark.json' with { type: 'json' };

const conversation = [
  orig('\r\n\r\nREGISTER sip:canary@pbx SIP/2.0\r\nVia: x\r\nFrom: "canary" <sip:canary@x>\r\nUser-Agent: Phone 1.2\r\nAuthorization: Digest canary\r\nl: 6\r\n\r\ncanary'),
  resp('SIP/2.0 403 canary\r\nCSeq: 17 REGISTER\r\nServer: Asterisk\r\nContent-Length: 0\r\n\r\n'),
  orig('ACK sip:canary@pbx SIP/2.0\r\n\r\nBYE tel:123 SIP/2.0\r\nContent-Length: 0\r\n\r\n'),
]; // prettier-ignore

describe('SIP', () => {
  it('reads methods, outcomes and software', () => {
    const result = dissect(dissector, conversation);
    expect(result.seen.map((o) => o.fields)).toEqual([
      { method: 'REGISTER', user_agent: 'Phone 1.2', authorized: 1 },
      { status: 403, method: 'REGISTER', user_agent: 'Asterisk' },
      { status: 403 },
      { method: 'ACK' },
      { method: 'BYE' },
    ]);
    expectNothingOf(result, ['canary', '123']);
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, conversation);
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, conversation);
    expectHardened(dissector, conversation.slice(1), { transport: 'udp' });
  });

  it('leaves others alone', () => {
    expect(dissect(dissector, [orig('NOTIFY * HTTP/1.1\r\n\r\n')], { transport: 'udp' }).taken).toBe(false);
    expect(dissect(dissector, [orig('OPTIONS rtsp://x RTSP/1.0\r\n\r\n')]).taken).toBe(false);
  });
});

describeWithCaptures('SIP over real captures', (captures) => {
  // `tshark -r FILE -Y sip -T fields -e sip.Method -e sip.Status-Code`, version 4.0.17.
  it.each(Object.entries(expected))('counts as tshark does in %s', (name, wanted) => {
    const counts: Record<string, number> = {};
    for (const stream of readStreams(join(captures, name))) {
      for (const o of dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }).seen) {
        if (o.kind === 'sip.register_failure') continue;
        const key = String(o.kind === 'sip.request' ? o.fields['method'] : o.fields['status']);
        counts[key] = (counts[key] ?? 0) + 1;
      }
    }
    expect(counts).toEqual(wanted);
  });
});
