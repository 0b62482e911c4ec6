import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openDatabase } from '../../src/desk/database.ts';
import { Triage } from '../../src/desk/triage.ts';
import { DEVICES, NOW, alertRow } from '../api/rows.ts';

const step = fc.oneof(
  fc.record({
    kind: fc.constant('rule' as const),
    act: fc.constantFrom('learn' as const, 'mute' as const, 'close' as const),
    device: fc.nat(2),
    any: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('undo' as const), rule: fc.nat(5) }),
  fc.record({ kind: fc.constant('arrive' as const), uid: fc.nat(6), device: fc.nat(2) }),
);

it('leaves every alert as it came once all rules are undone, in whatever order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-undo-'));
  let run = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.infiniteStream(fc.nat(1000)), async (steps, order) => {
        const db = openDatabase(join(folder, `${run++}.sqlite`));
        const triage = new Triage(db, { now: () => NOW });
        const rules: number[] = [];
        const versions = new Map<string, number>();
        for (const one of steps) {
          if (one.kind === 'arrive') {
            const uid = `u${one.uid}`;
            const version = (versions.get(uid) ?? 0) + 1;
            versions.set(uid, version);
            const parts = { uid, minutesAgo: one.uid, severity: 1 as const, detector: 'd', title: 't', message: 'm' };
            triage.accept([{ ...alertRow({ ...parts, about: DEVICES[one.device]! }), version }]);
          } else if (one.kind === 'rule') {
            const scope = one.any ? { detector: 'd' } : { device: DEVICES[one.device]!.device };
            const { act } = one;
            const rule = await triage.rules.create({ act, scope, reason: 'x', resolution: 'benign', until: 0 }, 'anna');
            rules.push(rule.id);
          } else {
            const id = rules[one.rule];
            if (id !== undefined) await triage.rules.undo(id, 'anna');
          }
        }
        const left = rules.map((id) => ({ id, at: order.next().value as number })).sort((a, b) => a.at - b.at);
        for (const { id } of left) await triage.rules.undo(id, 'anna');
        for (const uid of versions.keys())
          expect(triage.item(uid)).toMatchObject({ state: 'new', muted_by: 0, resolved_by: 0, resolution: '' });
        expect(triage.count({})).toBe(versions.size);
        db.close();
      }),
      { numRuns: 25, seed: 11 },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
