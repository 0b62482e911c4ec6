import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { profileJsonSchema, profilesReference } from '../../scripts/profile-reference.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { testProfile } from '../../src/identity/profiles-test.ts';
import { PROFILES_DIR, checkProfile, loadProfiles, loadVendors } from '../../src/identity/profiles.ts';

const classes = loadClasses();
const names = new Set(classes.keys());
const shipped = loadProfiles(names);
const text = readFileSync(`${PROFILES_DIR}/infusion-pump/bbraun-space.yaml`, 'utf8');

const problemsOf = (changed: string): string[] =>
  checkProfile(changed, 'infusion-pump/bbraun-space.yaml', names).problems.map((p) => `${p.line}: ${p.text}`);

describe('the profiles of Wardwatch', () => {
  it('are all right', () => {
    expect(shipped.problems).toEqual([]);
    expect(shipped.profiles.length).toBeGreaterThanOrEqual(60);
  });

  const knowledge = loadKnowledge(classes);
  it.each(shipped.profiles.map((profile) => [profile.id, profile] as const))(
    '%s is known by what it declares',
    (_id, profile) => expect(testProfile(profile, knowledge)).toEqual([]),
  );

  it('name makers as the list of makers does', () => {
    const makers = new Set(loadVendors().vendors.map((vendor) => vendor.name));
    const odd = shipped.profiles.filter((profile) => profile.vendor !== undefined && !makers.has(profile.vendor));
    expect(odd.map((profile) => `${profile.id}: ${profile.vendor!}`)).toEqual([
      'glucose-meter/nova-statstrip: Nova Biomedical',
    ]);
  });

  it('have a current schema and reference (else: node scripts/profile-reference.ts)', async () => {
    expect(readFileSync(`${PROFILES_DIR}/schema.json`, 'utf8')).toBe(await profileJsonSchema());
    expect(readFileSync('docs/reference/profiles.md', 'utf8')).toBe(profilesReference());
  });
});

describe('a profile that is not right', () => {
  it('is not this one', () => expect(problemsOf(text)).toEqual([]));

  it.each([
    ['an unknown field', text.replace('model: Space', 'modell: Space'), '5: modell: is not known; did you mean model?'],
    [
      'an unknown class',
      text.replace('class: infusion-pump', 'class: infusion-pumps'),
      '2: class: infusion-pumps is no class; did you mean infusion-pump?',
    ],
    [
      'another id',
      text.replace('bbraun-space', 'bbraun-spice'),
      '1: id: does not fit the name of the file: expected infusion-pump/bbraun-space',
    ],
    ['a wrong type', text.replace('verified: true', 'verified: maybe'), '6: verified: must be boolean'],
    [
      'a dangerous pattern',
      text.replace("'SpaceCom*'", "'Space**Com'"),
      '9: match[1].glob[0]: two wildcards stand side by side',
    ],
    [
      'an unknown source',
      text.replace("source: 'dhcp.vendor_class'", "source: 'dhcp.vendorclass'"),
      '9: match[1].source: must be equal to one of the allowed values; did you mean dhcp.vendor_class?',
    ],
    [
      'no weight',
      text.replace('weight: 0.7 }', 'weight: 0 }'),
      '8: match[0].weight: a rule without weight says nothing',
    ],
  ])('%s is told with its line', (_what, changed, expected) => {
    expect(changed).not.toBe(text);
    expect(problemsOf(changed)).toContain(expected);
  });

  it('tells broken YAML and refuses aliases', () => {
    expect(problemsOf('id: [')[0]).toMatch(/^\d+: is no YAML/);
    expect(problemsOf('a: &a [1]\nb: [*a, *a]')[0]).toMatch(/aliases are not allowed/);
  });

  it('never throws, whatever part of it is replaced', () => {
    const whole = parse(text) as Record<string, unknown>;
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(whole)), fc.jsonValue({ maxDepth: 3 }), (key, value) => {
        checkProfile(stringify({ ...whole, [key]: value }), 'x/y.yaml', names);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
