import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/rdp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, expectHardened, expectNothingOf, expectSplitInvariant, orig } from '../../../support/conversation.ts';
import { streamTo } from '../../../support/streams.ts';

describeWithCaptures('RDP over real captures', (captures) => {
  const plain = streamTo(join(captures, 'protocols/ndpi/rdp3.pcap'), 3389);
  const secure = streamTo(join(captures, 'attacks/windows/pcap-attack/Lateral_Movement__LM_rdp_sharprdp.pcapng'), 3389);

  it('reads the client of a connection in clear', () => {
    const seen = dissect(dissector, plain.chunks).seen;
    expect(seen.map((o) => o.kind)).toEqual(['rdp.request', 'rdp.response', 'rdp.client']);
    expect(seen[2]!.fields).toEqual({ name: 'SEPTU', build: 2600 });
  });

  it('reads the certificate where TLS is chosen', () => {
    const seen = dissect(dissector, secure.chunks).seen;
    expect(seen[1]!.fields).toEqual({ protocol: 'credssp_ex' });
    expect(seen.find((o) => o.kind === 'tls.certificate')?.fields).toMatchObject({
      subject_cn: 'MSEDGEWIN10',
      self_signed: 1,
    });
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, plain.chunks.slice(0, 6));
    expectSplitInvariant(dissector, secure.chunks.slice(0, 8));
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, plain.chunks.slice(0, 6));
    expectHardened(dissector, secure.chunks.slice(0, 6), {}, 100);
  });
});

it('hides the name in the cookie and leaves S7 alone', () => {
  const cookie = 'Cookie: mstshash=canaryuser\r\n\x01\x00\x08\x00\x03\x00\x00\x00';
  const length = 11 + cookie.length;
  const request = `\x03\x00\x00${String.fromCharCode(length)}${String.fromCharCode(length - 5)}\xe0\x00\x00\x00\x00\x00${cookie}`;
  const result = dissect(dissector, [orig(request)]);
  expect(result.seen[0]!.fields).toMatchObject({ protocols: 'tls,credssp' });
  expectNothingOf(result, ['canary']);
  const s7 = '\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02';
  expect(dissect(dissector, [orig(s7)]).taken).toBe(false);
});
