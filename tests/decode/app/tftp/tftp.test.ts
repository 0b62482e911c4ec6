import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/tftp/index.ts';
import { dissect, expectHardened, expectNothingOf, orig, resp } from '../../../support/conversation.ts';

const udp = { transport: 'udp' as const };
const conversation = [
  orig('\0\x02canary/image.bin\0OCTET\0blksize\x001468\0tsize\x0052428\0'),
  resp('\0\x05\0\x02canary\0'),
];

it('reads requests and errors without names', () => {
  const result = dissect(dissector, conversation, udp);
  expect(result.seen.map((o) => o.fields)).toMatchObject([
    { operation: 'write', mode: 'octet', transfer_bytes: 52_428 },
    { code: 2 },
  ]);
  expectNothingOf(result, ['canary', 'image']);
});

it('survives damage and reads nothing outside its payload', () => {
  expectHardened(dissector, conversation, udp);
});

it('does not take what only begins alike', () => {
  for (const other of ['\0\x01\0octet\0', '\0\x01abc\0other\0', '\0\x03\0\x01data', '\0\x01abc\0octet']) {
    expect(dissect(dissector, [orig(other)], udp).taken).toBe(false);
  }
});
