import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, StateReader, StateWriter } from '../../src/state/codec.ts';
import type { StateClass } from '../../src/state/codec.ts';

class Node {
  readonly name: string;
  partner: Node | undefined;
  constructor(name: string) {
    this.name = name;
  }
}
const nodes: StateClass<Node> = {
  name: 'node',
  type: Node,
  head: (n) => n.name,
  make: (head) => new Node(head as string),
  body: (n) => n.partner,
  fill: (n, body) => {
    n.partner = body as Node | undefined;
  },
};

function roundTrip(value: unknown): unknown {
  const writer = new StateWriter([nodes] as never);
  writer.value(value);
  return new StateReader(writer.finish(), [nodes] as never).value();
}

describe('plain state as bytes', () => {
  it('comes back as it was, whatever it is made of', () => {
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(undefined, null, true, false, NaN, -0, Infinity, 2 ** 31, -(2 ** 31), 2 ** 53, 0.1),
        fc.integer(),
        fc.double(),
        fc.bigInt(),
        fc.string({ unit: 'binary' }),
        fc.string(),
        fc.uint8Array(),
        fc.float64Array(),
        fc.int32Array(),
        fc.array(tie('node')),
        fc.dictionary(
          fc.string().filter((k) => k !== '__proto__'),
          tie('node'),
        ),
        fc.array(fc.tuple(tie('node'), tie('node'))).map((entries) => new Map(entries)),
        fc.array(tie('node')).map((items) => new Set(items)),
      ),
    })).node;
    fc.assert(
      fc.property(value, (v) => {
        expect(roundTrip(v)).toStrictEqual(v);
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('keeps one object one object, in cycles too', () => {
    const shared = { n: 1 };
    const cycle: { self?: unknown; shared: unknown; map: Map<unknown, unknown> } = { shared, map: new Map() };
    cycle.self = cycle;
    cycle.map.set(shared, cycle);
    const back = roundTrip([cycle, shared]) as [typeof cycle, typeof shared];
    expect(back[0].self).toBe(back[0]);
    expect(back[0].shared).toBe(back[1]);
    expect(back[0].map.get(back[1])).toBe(back[0]);
  });

  it('holds long chains of instances without a deep stack', () => {
    const first = new Node('0');
    let last = first;
    for (let i = 1; i < 50_000; i++) last = last.partner = new Node(String(i));
    last.partner = first;
    let back = roundTrip(first) as Node;
    expect(back).toBeInstanceOf(Node);
    const start = back;
    for (let i = 1; i < 50_000; i++) back = back.partner!;
    expect(back.name).toBe('49999');
    expect(back.partner).toBe(start);
  });

  it('refuses what would be lost, and says where it lies without a word of what devices have sent', () => {
    const writer = new StateWriter();
    expect(() => writer.value({ pairs: new Map([['DOE^JOHN', { act: () => 1 }]]) })).toThrow(
      /a function at pairs\.act/,
    );
    expect(() => new StateWriter().value({ at: new Date(0) })).toThrow(/an instance of Date at at/);
    let deep: unknown = 0;
    for (let i = 0; i < 1000; i++) deep = [deep];
    expect(() => new StateWriter().value(deep)).toThrow(/too deeply/);
  });

  it('spreads over blocks, arrays larger than a block too', () => {
    const big = new Float64Array(400_000).map((_, i) => i / 3);
    const many = Array.from({ length: 200_000 }, (_, i) => ({ i, name: `device ${i % 100}` }));
    const writer = new StateWriter();
    writer.value(many);
    writer.value(big);
    const blocks = writer.finish();
    expect(blocks.length).toBeGreaterThan(1);
    const reader = new StateReader(blocks);
    expect(reader.value()).toStrictEqual(many);
    expect(reader.value()).toStrictEqual(big);
  });

  it('goes on in the next block wherever a block ends', () => {
    for (let left = 0; left < 40; left++) {
      const rest = [1, 300_000, 'text', 2.5, [7], { a: -1 }, 9n, 'text', {}];
      const value = [new Uint8Array(BLOCK_BYTES - 10 - left), ...rest];
      const [, ...after] = roundTrip(value) as unknown[];
      expect(after, `${left} bytes before the end`).toStrictEqual(rest);
    }
  });

  it('never does more with damaged bytes than refuse them', () => {
    const writer = new StateWriter();
    writer.value({ a: [1, 'two', new Map([[3n, new Set([4.5])]])], b: new Uint16Array([1, 2]) });
    const good = writer.finish()[0]!;
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
        const bad = good.slice();
        bad[at] = byte;
        try {
          new StateReader([bad]).value();
        } catch (error) {
          expect((error as Error).message).toMatch(/stored state cannot be read/);
        }
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});
