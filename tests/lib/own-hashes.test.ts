import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipText, macText } from '../../src/lib/address.ts';
import { createCidrSet, parseIpv4, parseIpv6 } from '../../src/lib/cidr.ts';
import { base62, hashNumbers, hashText } from '../../src/lib/hash.ts';
import { SipHash } from '../../src/lib/siphash.ts';
import { TextTable } from '../../src/lib/text-table.ts';

describe('SipHash-2-4', () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  // The reference vectors of the paper's authors (vectors.h), key 00..0f, input 00..(n-1).
  it.each([
    [0, 0x726fdb47, 0xdd0e0e31],
    [1, 0x74f839c5, 0x93dc67fd],
    [7, 0xab0200f5, 0x8b01d137],
    [8, 0x93f5f579, 0x9a932462],
    [15, 0xa129ca61, 0x49be45e5],
  ])('of %i bytes', (n, high, low) => {
    const sip = new SipHash(key);
    sip.hash(
      Uint8Array.from({ length: n }, (_, i) => i),
      0,
      n,
    );
    expect([sip.high, sip.low]).toEqual([high, low]);
  });
});

describe('addresses', () => {
  it.each([
    ['2001:db8::1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['fe80::', 'fe80::'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ])('IPv6 %s is written %s (RFC 5952)', (text, canonical) => {
    expect(ipText(parseIpv6(text)!, 0, true)).toBe(canonical);
  });

  it('IPv4 and MAC', () => {
    expect(ipText(parseIpv4('10.20.30.255')!, 0, false)).toBe('10.20.30.255');
    expect(macText(0x0009fb, 0x00a0ff)).toBe('00:09:fb:00:a0:ff');
  });

  it('ranges hold what lies in them', () => {
    const set = createCidrSet(['10.0.0.0/8', '192.168.4.0/22', 'fc00::/7']);
    const has = (text: string): boolean =>
      text.includes(':') ? set.has(parseIpv6(text)!, 0, true) : set.has(parseIpv4(text)!, 0, false);
    expect(['10.255.0.1', '192.168.7.9', 'fd00::5'].map(has)).toEqual([true, true, true]);
    expect(['11.0.0.1', '192.168.8.1', '2001:db8::1'].map(has)).toEqual([false, false, false]);
    expect(() => createCidrSet(['10.0.0.0/33'])).toThrow("'10.0.0.0/33'");
  });
});

describe('hashes of keys', () => {
  it('stay within 52 bits and hardly ever collide', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 200_000; i++) {
      const h = i % 2 === 0 ? hashNumbers(i, 443) : hashText(`key ${i}`);
      expect(h >= 0 && h < 2 ** 52).toBe(true);
      seen.add(h);
    }
    expect(seen.size).toBe(200_000);
    expect(base62(2 ** 52 - 1)).toHaveLength(9);
  });
});

describe('interned texts', () => {
  it('the same bytes, the same number and text; control characters do not pass', () => {
    const table = new TextTable(1000);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const id = table.intern(bytes, 0, bytes.length);
        const copy = Uint8Array.from([0, ...bytes, 0]);
        expect(table.intern(copy, 1, bytes.length + 1)).toBe(id);
        expect(/\p{Cc}/u.test(table.text(id))).toBe(false);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it('is bounded: beyond its capacity texts are empty and counted', () => {
    const table = new TextTable(10);
    for (let i = 0; i < 20; i++) table.internString(`name ${i}`);
    expect([table.size, table.overflow > 0, table.internString('one more')]).toEqual([10, true, 0]);
  });
});
