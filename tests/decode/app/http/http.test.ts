import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/http/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  bytesOf,
  concat,
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  orig,
  resp,
} from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';
import expected from './expected-tshark.json' with { type: 'json' };

const get = (target: string, ...fields: string[]): string =>
  `GET ${target} HTTP/1.1\r\n${['Host: ehr.example:8080', ...fields].join('\r\n')}\r\n\r\n`;

const shapeOf = (target: string): unknown => dissect(dissector, [orig(get(target))]).seen[0]?.fields['path_shape'];

const conversation = [
  orig(get('/fhir/Patient/8f3a?name=Mueller&x=1', 'User-Agent: curl/8.1', 'Authorization: Basic c2VjcmV0OnB3')),
  resp('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nServer: nginx/1.25\r\nContent-Type: application/fhir+json; charset=utf-8\r\nContent-Length: 11\r\n\r\nhello world'),
  orig('POST /fhir/Observation HTTP/1.1\r\nhost: ehr.example\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\nHEAD /index.html HTTP/1.1\r\n\r\n'),
  resp('HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="Dr. Smith"\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nHTTP\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n'),
  orig(get('/last')),
  resp('HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 500 this is body\r\n\r\n'),
]; // prettier-ignore

describe('HTTP', () => {
  it('reads pipelined messages over bodies of every kind', () => {
    const result = dissect(dissector, conversation);
    expect(result.events).toEqual([]);
    expect(result.seen.map((o) => [o.direction, o.fields])).toEqual([
      [
        0,
        {
          method: 'GET',
          host: 'ehr.example:8080',
          user_agent: 'curl/8.1',
          path_shape: '/fhir/Patient/{id}',
          params: 2,
          body_bytes: 0,
          authorization: 'basic',
          fhir_resource: 'Patient',
        },
      ],
      [1, { status: 100, body_bytes: 0 }],
      [1, { status: 200, server: 'nginx/1.25', content_type: 'application/fhir+json', body_bytes: 11 }],
      [0, { method: 'POST', host: 'ehr.example', path_shape: '/fhir/Observation', fhir_resource: 'Observation' }],
      [0, { method: 'HEAD', path_shape: '/index.html', body_bytes: 0 }],
      [1, { status: 401, www_authenticate: 'digest' }],
      [1, { status: 200, body_bytes: 0 }],
      [0, { method: 'GET', host: 'ehr.example:8080', path_shape: '/last', body_bytes: 0 }],
      [1, { status: 200 }],
    ]);
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, conversation);
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, conversation, {}, 400);
  });

  it('blanks whatever may be an identifier or a name', () => {
    const blanked: [string, string][] = [
      ['/', '/'],
      ['/api/v1/patients/smith/vitals', '/api/v1/patients/{id}/vitals'],
      ['/api/v2.0/users/jane', '/api/v2.0/users/{id}'],
      ['/studies/1.2.840.113619.2/series/1.2.3/instances', '/studies/{id}/series/{id}/instances'],
      ['/baseR4/Patient/_search', '/{id}/Patient/_search'],
      ['/fhir/Patient/smith/$everything', '/fhir/Patient/{id}/$everything'],
      ['/fhir/Device/abc', '/fhir/Device/{id}'],
      ['/doc/Smith%20John.pdf', '/doc/{id}.pdf'],
      ['/doc/smith_john.dcm', '/doc/{id}.dcm'],
      ['/cgi-bin/login.cgi', '/cgi-bin/login.cgi'],
      ['/x/8c7d6f2e-1111-4222-8333-1234567890ab', '/x/{id}'],
      ['/x/deadbeefcafe', '/x/{id}'],
      ['/x/MRN0012345', '/x/{id}'],
      ['http://user:secret@proxy.example/a/b?c', '/a/b'],
      ['/verylongwordthatislongerthanawordis/x', '/{id}/x'],
    ];
    for (const [target, wanted] of blanked) expect(shapeOf(target), target).toBe(wanted);
  });

  it('lets no credential, name or query out', () => {
    const result = dissect(dissector, [
      orig(get('/patients/canaryname/canary1?canaryquery=canaryvalue#canaryfrag', 'Authorization: Bearer canarytoken', 'Cookie: canarycookie', 'Referer: http://x/canaryref')),
      resp('HTTP/1.1 302 canaryreason\r\nLocation: /canaryloc\r\nSet-Cookie: canary=1\r\nWWW-Authenticate: canaryscheme realm=canary\r\nContent-Length: 6\r\n\r\ncanary'),
      orig(get('http://canaryuser:canarypass@host/')),
    ]); // prettier-ignore
    expect(result.seen).toHaveLength(3);
    expectNothingOf(result, ['canary']);
  });

  it('skips a large body without seeing it', () => {
    const head = 'PUT /image HTTP/1.1\r\nContent-Length: 3000000000\r\n\r\n';
    const result = dissect(dissector, [orig(head), orig(get('/inside'))]);
    expect(result.seen.map((o) => o.fields['body_bytes'])).toEqual([3_000_000_000]);
  });

  it('stops at an upgrade and reads a TLS hello in a tunnel', () => {
    const upgrade = dissect(dissector, [
      orig(get('/ws', 'Upgrade: websocket')),
      resp('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello'),
      orig(get('/not-http')),
    ]);
    expect(upgrade.seen.map((o) => o.kind)).toEqual(['http.request', 'http.response']);
    expect(upgrade.seen[1]!.fields['upgrade']).toBe(1);
    const hello = concat(Uint8Array.of(22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3), new Uint8Array(33), Uint8Array.of(0, 2, 0x13, 1, 1, 0)); // prettier-ignore
    const tunnel = dissect(dissector, [
      orig('CONNECT pacs.example:443 HTTP/1.1\r\n\r\n'),
      resp('HTTP/1.1 200 Connection established\r\n\r\n'),
      orig(hello),
    ]);
    expect(tunnel.seen.map((o) => o.kind)).toEqual(['http.request', 'http.response', 'tls.client_hello']);
    expect(tunnel.seen[0]!.fields['host']).toBe('pacs.example:443');
  });

  it('says what is odd about lengths', () => {
    const both = 'POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    expect(dissect(dissector, [orig(both)]).events).toEqual(['http.ambiguous_length']);
    const two = 'POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n';
    expect(dissect(dissector, [orig(two)]).events).toEqual(['http.bad_length']);
  });

  it('takes a request whose target is longer than one segment', () => {
    const chunks = [orig(`GET /a?${'x'.repeat(1200)}`), orig(`${'y'.repeat(900)} HTTP/1.1\r\n\r\n`)];
    expect(dissect(dissector, chunks).seen[0]?.fields).toMatchObject({ path_shape: '/a', params: 1 });
  });

  it('finds its way back after lost bytes', () => {
    const result = dissect(dissector, [
      orig(get('/one')),
      { direction: 0, bytes: bytesOf('rest of something\r\n'), gap: true },
      orig(get('/two')),
    ]);
    expect(result.seen.map((o) => o.fields['path_shape'])).toEqual(['/one', '/two']);
  });

  it('leaves SIP, RTSP and others alone', () => {
    for (const other of [
      'OPTIONS rtsp://x/ RTSP/1.0\r\n\r\n',
      'NOTIFY sip:a@b SIP/2.0\r\n\r\n',
      'GET x\r\n',
      'HTTP/2\r\n',
    ]) {
      expect(dissect(dissector, [orig(other)]).taken).toBe(false);
    }
  });
});

describeWithCaptures('HTTP over real captures', (captures) => {
  // `tshark -r FILE -Y http.request.method -T fields -e http.request.method`, version 4.0.17; where it reads on
  // after a protocol error the table holds what comes before.
  it.each(Object.entries(expected))('counts methods and statuses as tshark does in %s', (name, wanted) => {
    const methods: Record<string, number> = {};
    const statuses: Record<string, number> = {};
    for (const stream of readStreams(join(captures, name))) {
      if (stream.transport !== 'tcp') continue;
      for (const o of dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }).seen) {
        const counts = o.kind === 'http.request' ? methods : o.kind === 'http.response' ? statuses : {};
        const key = String(o.fields['method'] ?? o.fields['status']);
        counts[key] = (counts[key] ?? 0) + 1;
      }
    }
    expect({ methods, statuses }).toEqual(wanted);
  });
});
