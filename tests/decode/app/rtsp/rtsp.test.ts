import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/rtsp/index.ts';
import {
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  orig,
  resp,
} from '../../../support/conversation.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { streamTo } from '../../../support/streams.ts';

const conversation = [
  orig('OPTIONS rtsp://canary:canary@cam/canary RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: LibVLC/3.0\r\n\r\n'),
  resp('RTSP/1.0 401 Unauthorized\r\nServer: GStreamer RTSP server\r\nWWW-Authenticate: Basic realm="canary"\r\n\r\n'),
  orig('DESCRIBE rtsp://cam/canary RTSP/1.0\r\nAuthorization: Basic canary\r\n\r\n'),
  resp('RTSP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nv=0 canary$\x00\x00\x04RTSPRTSP/1.0 200 OK\r\n\r\n'),
  orig('PLAY rtsp://cam/canary RTSP/1.0\r\n\r\n$\x01\x00\x02ab'),
];

describe('RTSP', () => {
  it('reads methods and outcomes between media', () => {
    const result = dissect(dissector, conversation);
    expect(result.seen.map((o) => o.fields)).toEqual([
      { method: 'OPTIONS', user_agent: 'LibVLC/3.0' },
      { status: 401, server: 'GStreamer RTSP server' },
      { method: 'DESCRIBE', authorized: 1 },
      { status: 200 },
      { status: 200 },
      { method: 'PLAY' },
    ]);
    expect(result.events).toEqual([]);
    expectNothingOf(result, ['canary']);
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, conversation);
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, conversation);
  });

  it('leaves HTTP and SIP alone', () => {
    expect(dissect(dissector, [orig('OPTIONS * HTTP/1.1\r\n\r\n')]).taken).toBe(false);
    expect(dissect(dissector, [orig('OPTIONS sip:x SIP/2.0\r\n\r\n')]).taken).toBe(false);
  });
});

describeWithCaptures('RTSP over a real capture', (captures) => {
  it('counts requests as tshark does', () => {
    const stream = streamTo(join(captures, 'clinical/A-benign-learn.pcap.gz'), 554);
    const seen = dissect(dissector, stream.chunks, stream).seen;
    expect(seen.filter((o) => o.kind === 'rtsp.request')).toHaveLength(13);
    expect(seen.filter((o) => o.kind === 'rtsp.response')).toHaveLength(13);
  });
});
