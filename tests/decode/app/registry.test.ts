import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissectors } from '../../../src/decode/app/registry.ts';
import { describeWithCaptures } from '../../support/captures.ts';
import { textsOf } from '../../support/dissect.ts';
import { dissectFlow, flowsOf } from '../../support/payloads.ts';

describe('registry', () => {
  it('names every dissector once, and gives a kind of observation one meaning', () => {
    const names = dissectors.map((one) => one.name);
    expect(new Set(names).size).toBe(names.length);
    // Some kinds (a log-in, a file) are shared by several protocols: then it is one and the same object.
    const kinds = new Set(dissectors.flatMap((one) => one.observations));
    const words = [...kinds].map((kind) => kind.kind);
    expect(new Set(words).size).toBe(words.length);
    for (const kind of words) expect(kind).toMatch(/^[a-z0-9]+\.[a-z0-9_]+$/);
  });

  it('describes every field', () => {
    for (const one of dissectors) {
      for (const kind of one.observations) {
        for (const field of kind.fields)
          expect([kind.kind, field.name, field.doc.length > 0]).toEqual([kind.kind, field.name, true]);
      }
    }
  });
});

describeWithCaptures('all dissectors on the clinical captures', (dir) => {
  for (const name of ['A-benign-learn', 'C-hl7_replay']) {
    it(`${name}: no patient in any text, and no flow claimed by two`, () => {
      const truth = JSON.parse(readFileSync(join(dir, `clinical/${name}.truth.json`), 'utf8')) as {
        phi_canaries: string[];
      };
      const texts = new Set<string>();
      const disputed: string[] = [];
      for (const flow of flowsOf(join(dir, `clinical/${name}.pcap.gz`))) {
        const claims: string[] = [];
        for (const dissector of dissectors) {
          const outcome = dissectFlow(dissector, flow);
          if (outcome?.verdict !== 'yes') continue;
          claims.push(dissector.name);
          texts.add(textsOf(outcome));
        }
        if (claims.length > 1) disputed.push(`${claims.join('+')} on ${flow.respPort}`);
      }
      const all = [...texts].join('\n');
      expect(truth.phi_canaries.filter((canary) => all.includes(canary))).toEqual([]);
      expect(all).not.toContain('CANARY');
      expect(disputed).toEqual([]);
    });
  }
});
