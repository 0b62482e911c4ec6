import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SHARDS, createSharding, shardsOfFrame } from '../../src/bus/sharding.ts';
import { batchOf, frame, framesOf } from './frames.ts';

const MAC = { pump: '020000000001', monitor: '020000000002', all: 'ffffffffffff' };
const IP = { pump: '0a000001', monitor: '0a000002', group: 'e0000001' };

function ethernet(dst: string, src: string, vlan: number, type: string, payload: string) {
  const tag = vlan === 0 ? '' : `8100${vlan.toString(16).padStart(4, '0')}`;
  const bytes = Buffer.from(dst + src + tag + type + payload, 'hex');
  return { ...frame(0, bytes.length), bytes };
}
const ip4 = (src: string, dst: string, protocol: string, payload: string): string =>
  `4500${(20 + payload.length / 2).toString(16).padStart(4, '0')}0000000040${protocol}0000${src}${dst}${payload}`;
const tcp = '0400005000000000000000005000000000000000';
const dhcp = '0044004300080000';

function shards(
  one: ReturnType<typeof ethernet>,
  by: 'segment' | 'endpoint' = 'endpoint',
  tap: 'access' | 'routed' = 'access',
) {
  const out = new Uint8Array(4);
  return [...out.subarray(0, shardsOfFrame(batchOf([one]), 0, by, tap, out))];
}

describe('shards of a frame', () => {
  test('each endpoint of it, the same in both directions; a group is nobody', () => {
    const there = shards(ethernet(MAC.monitor, MAC.pump, 220, '0800', ip4(IP.pump, IP.monitor, '06', tcp)));
    const back = shards(ethernet(MAC.pump, MAC.monitor, 220, '0800', ip4(IP.monitor, IP.pump, '06', tcp)));
    expect(there.length).toBe(2);
    expect(new Set(back)).toEqual(new Set(there));
    const shout = shards(ethernet(MAC.all, MAC.pump, 220, '0800', ip4(IP.pump, IP.group, '11', '1000100000080000')));
    expect(shout).toEqual([there[0]]);
    // The same card in another VLAN is another endpoint.
    expect(
      shards(ethernet(MAC.all, MAC.pump, 221, '0800', ip4(IP.pump, IP.group, '11', '1000100000080000'))),
    ).not.toEqual(shout);
  });

  test('a routed tap goes by IP', () => {
    const first = shards(
      ethernet(MAC.monitor, MAC.pump, 0, '0800', ip4(IP.pump, IP.monitor, '06', tcp)),
      'endpoint',
      'routed',
    );
    const other = shards(
      ethernet(MAC.all, MAC.monitor, 0, '0800', ip4(IP.pump, IP.monitor, '06', tcp)),
      'endpoint',
      'routed',
    );
    expect(other).toEqual(first);
  });

  test('ARP, DHCP and neighbour discovery also go to their VLAN', () => {
    const segment = shards(ethernet(MAC.all, MAC.pump, 220, '0806', '00'.repeat(28)), 'segment')[0];
    const nd = `6000000000083aff${'fe80'.padEnd(32, '0')}${'ff02'.padEnd(32, '0')}8700000000000000`;
    for (const one of [
      ethernet(MAC.all, MAC.pump, 220, '0806', '00'.repeat(28)),
      ethernet(MAC.all, MAC.pump, 220, '0800', ip4('00000000', 'ffffffff', '11', dhcp)),
      ethernet('333300000001', MAC.pump, 220, '86dd', nd),
    ]) {
      expect(shards(one)).toContain(segment);
      expect(shards(one).length).toBe(2);
    }
  });

  test('by segment a VLAN is one shard, whatever is in it', () => {
    const of = new Set<number>();
    for (let vlan = 0; vlan < 4096; vlan++) {
      const [a, ...more] = shards(ethernet(MAC.monitor, MAC.pump, vlan, '0800', ''), 'segment');
      const [b] = shards(ethernet(MAC.all, MAC.monitor, vlan, '0806', '00'.repeat(28)), 'segment');
      expect([a, more]).toEqual([b, []]);
      of.add(a!);
    }
    expect(of.size).toBe(SHARDS);
  });

  test('any bytes have one to three shards', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.boolean(),
        fc.constantFrom('access', 'routed'),
        (bytes, tagged, tap) => {
          if (tagged && bytes.length > 14) bytes.set([0x81, 0x00], 12);
          const found = shards({ ...frame(0, bytes.length), bytes: Buffer.from(bytes) }, 'endpoint', tap);
          expect(found.length).toBeGreaterThan(0);
          expect(found.length).toBeLessThan(4);
          expect(new Set(found).size).toBe(found.length);
          for (const shard of found) expect(shard).toBeLessThan(SHARDS);
        },
      ),
      { seed: 11, numRuns: 500 },
    );
  });

  test('a batch is divided in order; each frame is there, at most once a partition', () => {
    const frames = Array.from({ length: 300 }, (_, n) => ({
      ...ethernet(
        `0200000000${(n % 7).toString(16).padStart(2, '0')}`,
        MAC.pump,
        n % 5,
        '0800',
        ip4(IP.pump, IP.monitor, '06', tcp),
      ),
      tsUs: 1_700_000_000_000_000 + n,
    }));
    for (const partitions of [1, 2, 4]) {
      const parts = createSharding('endpoint', 'access', partitions)(batchOf(frames));
      const seen = new Set<number>();
      for (const { batch } of parts) {
        const times = framesOf(batch).map(({ tsUs }) => tsUs);
        expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
        for (const tsUs of times) seen.add(tsUs);
      }
      expect(seen.size).toBe(300);
      const divided = createSharding('segment', 'access', partitions)(batchOf(frames));
      expect(divided.reduce((n, { batch }) => n + batch.count, 0)).toBe(300);
    }
  });
});
