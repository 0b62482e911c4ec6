import { describe, expect, it } from 'vitest';
import { dissector } from './index.ts';
import {
  bytesOf,
  concat,
  dissect,
  expectHardened,
  expectSplitInvariant,
  orig,
  resp,
} from '../../../tests/support/conversation.ts';

const message = (type: number, body: string): Uint8Array =>
  concat(bytesOf(`EX\x01${String.fromCharCode(type, body.length >> 8, body.length & 0xff)}`), bytesOf(body));

// Replace by payloads of a real capture, with values that another program computed.
const conversation = [orig(message(0, 'a')), resp(message(2, 'b')), orig(concat(message(1, 'cd'), message(1, '')))];

describe('example', () => {
  it('reads messages both ways', () => {
    const result = dissect(dissector, conversation);
    expect(result.events).toEqual([]);
    expect(result.seen.map((o) => [o.direction, o.fields])).toEqual([
      [0, { type: 'hello', body_bytes: 1 }],
      [1, { type: 'answer', body_bytes: 1 }],
      [0, { type: 'command', body_bytes: 2, is_write: 1 }],
      [0, { type: 'command', body_bytes: 0, is_write: 1 }],
    ]);
  });

  it('says the same in any segmentation', () => {
    expectSplitInvariant(dissector, conversation);
  });

  it('leaves what is not its own to others', () => {
    expect(dissect(dissector, [orig('GET / HTTP/1.1\r\n\r\n')]).taken).toBe(false);
  });

  it('goes on after a broken message', () => {
    const result = dissect(dissector, [orig(concat(message(0, ''), bytesOf('EX\x07junk'), message(1, 'x')))]);
    expect(result.events).toEqual(['example_bad_header', 'example_lost']);
    expect(result.seen).toHaveLength(2);
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, conversation);
  });
});
