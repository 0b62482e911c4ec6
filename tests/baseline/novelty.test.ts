import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NoveltySets } from '../../src/baseline/novelty.ts';
import type { HolderDevice } from '../../src/baseline/novelty.ts';

const MAX = 24;
const KEYS = [0, 1, 2, 5, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52 - 1, 2 ** 53 - 1];
const keys = fc.oneof(fc.constantFrom(...KEYS), fc.nat(60));
const steps = fc.array(
  fc.record({
    what: fc.constantFrom('note', 'note', 'note', 'note', 'knows', 'forget'),
    slot: fc.nat(5),
    set: fc.constantFrom('peer', 'service'),
    key: keys,
    learning: fc.boolean(),
  }),
  { maxLength: 400 },
);

interface Member {
  learned: number;
}

/** The same by maps, as plainly as it can be said. */
class Model {
  readonly sets = new Map<string, Map<number, Member>>();

  members(slot: number, set: string): Map<number, Member> {
    const name = `${slot}/${set}`;
    let members = this.sets.get(name);
    if (members === undefined) {
      members = new Map();
      this.sets.set(name, members);
    }
    return members;
  }

  note(device: HolderDevice, set: string, key: number, learning: boolean, all: readonly HolderDevice[]) {
    const members = this.members(device.slot, set);
    const learned = [...members.values()].map((m) => m.learned).filter((n) => n > 0);
    const total = learned.reduce((a, b) => a + b, 0);
    const holders = all.filter((d) => d !== device && (this.members(d.slot, set).get(key)?.learned ?? 0) > 0);
    const member = members.get(key);
    const fits = member !== undefined || members.size < MAX;
    const answer = {
      isNew: member === undefined && fits && !learning,
      known: learned.length,
      newRate: total === 0 ? 1 : learned.filter((n) => n === 1).length / total,
    };
    if (fits) {
      // Who did it only after learning is no holder, even where it learns again.
      const now = member ?? { learned: 0 };
      if (learning) now.learned++;
      members.set(key, now);
    }
    return { answer, holders };
  }
}

describe('first-seen sets', () => {
  const devices = Array.from({ length: 6 }, (_, slot) => ({ slot, type: slot % 2 === 0 ? 'pump' : 'monitor' }));
  const create = (): NoveltySets => new NoveltySets(MAX, (slot) => devices[slot]!.type);

  it('answers as maps would, whatever is noted and forgotten', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const sets = create();
        const model = new Model();
        for (const { what, slot, set, key, learning } of list) {
          const device = devices[slot]!;
          if (what === 'knows') {
            expect(sets.knows(slot, sets.setId(set), key)).toBe(model.members(slot, set).has(key));
          } else if (what === 'forget') {
            sets.forget(device);
            model.sets.delete(`${slot}/peer`);
            model.sets.delete(`${slot}/service`);
          } else {
            const { answer } = model.note(device, set, key, learning, devices);
            const given = sets.note(device, sets.setId(set), key, learning);
            expect({ isNew: given.isNew, known: given.known, newRate: given.newRate }).toEqual(answer);
          }
        }
        expect(sets.count).toBe([...model.sets.values()].reduce((n, members) => n + members.size, 0));
      }),
      { seed: 7 },
    );
  });

  it('counts who else has learned a key, by class and in all, and forgets who left', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const sets = create();
        const model = new Model();
        const learns = list.filter((s) => s.what !== 'knows');
        for (const { what, slot, set, key } of learns) {
          const device = devices[slot]!;
          if (what === 'forget') {
            sets.forget(device);
            model.sets.delete(`${slot}/peer`);
            model.sets.delete(`${slot}/service`);
            continue;
          }
          const { holders } = model.note(device, set, key, true, devices);
          const given = sets.note(device, sets.setId(set), key, true);
          expect(given.site).toBe(holders.length);
          expect(given.sameClass).toBe(holders.filter((d) => d.type === device.type).length);
        }
      }),
      { seed: 8 },
    );
  });

  it('goes on after saving and restoring as if nothing had happened', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const sets = create();
        for (const s of before) sets.note(devices[s.slot]!, sets.setId(s.set), s.key, s.learning);
        const restored = create();
        restored.setId('service');
        restored.restore(structuredClone(sets.save()));
        expect(restored.count).toBe(sets.count);
        for (const s of after) {
          const [a, b] = [sets, restored].map((x) => {
            const given = x.note(devices[s.slot]!, x.setId(s.set), s.key, s.learning);
            return [given.isNew, given.known, given.newRate, given.sameClass, given.site];
          });
          expect(b).toEqual(a);
        }
      }),
      { seed: 9, numRuns: 50 },
    );
  });

  it('holds many devices within 48 bytes a member, however the columns have just doubled', () => {
    const sets = new NoveltySets(1024, () => 'pump');
    const set = sets.setId('peer');
    for (let slot = 0; slot < 2000; slot++)
      for (let key = 0; key < 200; key++) sets.note({ slot, type: 'pump' }, set, slot * 1e6 + key, true);
    expect(sets.count).toBe(400_000);
    expect(sets.bytes / sets.count).toBeLessThan(48);
  });
});
