import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAddressGuard } from '../../src/sinks/address-guard.ts';

const refusal = (address: string, allowed: string[] = []): string | undefined =>
  createAddressGuard(allowed).refusal(address);

describe('the address guard', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['64:ff9b::127.0.0.1', 'loopback'],
    ['169.254.169.254', 'metadata service'],
    ['::ffff:169.254.169.254', 'metadata service'],
    ['fd00:ec2::254', 'metadata service'],
    ['100.100.100.200', 'metadata service'],
    ['168.63.129.16', 'metadata service'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', 'multicast'],
    ['ff02::1', 'multicast'],
    ['10.1.2.3', 'private'],
    ['172.31.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['fd12::1', 'private'],
    ['0.0.0.0', 'reserved'],
    ['::', 'reserved'],
    ['2002:7f00:1::', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['240.0.0.1', 'reserved'],
  ])('knows what %s is', (address, kind) => {
    expect(refusal(address)).toBe(kind === 'public' ? undefined : `a ${kind} address that is not listed`);
  });

  it('allows what is listed, and with a list nothing else', () => {
    expect(refusal('10.20.0.5', ['10.20.0.0/16'])).toBeUndefined();
    expect(refusal('::ffff:10.20.0.5', ['10.20.0.0/16'])).toBeUndefined();
    expect(refusal('10.21.0.5', ['10.20.0.0/16'])).toBeDefined();
    expect(refusal('8.8.8.8', ['10.20.0.0/16'])).toBe('an address that is not listed');
    expect(refusal('fd12::5', ['fd12::/64'])).toBeUndefined();
    expect(refusal('fd13::5', ['fd12::/64'])).toBeDefined();
  });

  it('wants guarded addresses listed by themselves', () => {
    const everything = ['0.0.0.0/0', '::/0'];
    expect(refusal('10.1.2.3', everything)).toBeUndefined();
    for (const address of ['127.0.0.1', '::1', '169.254.169.254', 'fe80::1', '224.0.0.1', '0.0.0.0'])
      expect(refusal(address, everything), address).toBeDefined();
    expect(refusal('127.0.0.1', ['127.0.0.1/32'])).toBeUndefined();
    expect(refusal('169.254.169.254', ['169.254.0.0/16'])).toBeDefined();
    expect(refusal('169.254.169.254', ['169.254.169.254/32'])).toBeUndefined();
    expect(refusal('::1', ['::1/128'])).toBeUndefined();
  });

  it('never leads a mapped address where the plain one may not go', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(refusal(`::ffff:${address}`)).toBe(refusal(address));
        expect(refusal(`64:ff9b::${address}`)).toBe(refusal(address));
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('never throws and never allows what is no address', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (!/^[0-9a-fA-F:.]+$/.test(text)) expect(refusal(text)).toBe('no address');
      }),
      { seed: 4, numRuns: 500 },
    );
    expect(() => createAddressGuard(['10.0.0.0/33'])).toThrow(RangeError);
  });

  it('keeps to an address that is still among those of the name, and says what is wrong with a name', async () => {
    let answer: string[] = ['8.8.8.8', '8.8.4.4'];
    const guard = createAddressGuard([], async () => answer);
    expect(await guard.check('siem.example')).toEqual({ ok: true, address: '8.8.8.8' });
    answer = ['8.8.4.4', '8.8.8.8'];
    expect(await guard.check('siem.example')).toEqual({ ok: true, address: '8.8.8.8' });
    answer = ['127.0.0.1', '8.8.4.4'];
    expect(await guard.check('siem.example')).toEqual({ ok: true, address: '8.8.4.4' });
    answer = [];
    expect(await guard.check('siem.example')).toMatchObject({ ok: false });
    const broken = createAddressGuard([], () => Promise.reject(new Error('NXDOMAIN')));
    expect(await broken.check('siem.example')).toEqual({ ok: false, detail: 'the name cannot be resolved' });
    expect(await guard.check('[::1]')).toMatchObject({ ok: false });
  });
});
