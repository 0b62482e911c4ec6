/**
 * Writes what comes from code about profiles: their JSON Schema and the page about them.
 *
 *   node scripts/profile-reference.ts
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { loadClasses } from '../src/identity/classes.ts';
import { EVIDENCE, NAME_SOURCES, TEXT_SOURCES } from '../src/identity/evidence.ts';
import { CAPTURES } from '../src/identity/pattern.ts';
import { profileSchema } from '../src/identity/profile-schema.ts';
import { ACTS, ACT_OF_PORT } from '../src/identity/roles.ts';

interface Shape {
  description?: string;
  type?: string;
  enum?: unknown[];
  items?: Shape;
  properties?: Record<string, Shape>;
  required?: string[];
}

/** The schema of a profile as data, for editors and other programs. */
export async function profileJsonSchema(): Promise<string> {
  const schema = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...profileSchema };
  const path = 'profiles/schema.json';
  return format(JSON.stringify(schema, undefined, 2), { ...(await resolveConfig(path)), filepath: path });
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

function rows(shape: Shape, path: string): string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, part]) => {
    const inner = part.items?.properties === undefined ? part : part.items;
    const at = `${path}${name}${part.items?.properties === undefined ? '' : '[]'}`;
    const kind = part.enum === undefined || part.enum.length > 8 ? (part.type ?? 'choice') : part.enum.join(', ');
    const must = shape.required?.includes(name) === true ? 'yes' : '';
    return [`| \`${at}\` | ${cell(kind)} | ${must} | ${cell(part.description ?? '')} |`, ...rows(inner, `${at}.`)];
  });
}

export function profilesReference(): string {
  const sources = Object.entries(EVIDENCE).flatMap(([kind, rule]) =>
    (rule.fields ?? []).map(
      (field) =>
        `| \`${field.source}\` | \`${kind}\` | \`${field.field}\` | ${field.about === 'listener' ? 'who is spoken to' : 'who speaks'} |`,
    ),
  );
  return [
    '<!-- Written by scripts/profile-reference.ts. -->',
    '',
    '# Profiles',
    '',
    'A profile is a file `profiles/<class>/<name>.yaml`; `profiles/schema.json` is its schema, `wardwatch profiles check`',
    'tells what is wrong with one, by file and line. How to write one: [add a profile](../how-to/add-a-profile.md).',
    '',
    '## Fields',
    '',
    '| field | value | needed | meaning |',
    '| --- | --- | --- | --- |',
    ...rows(profileSchema as unknown as Shape, ''),
    '',
    '## How the evidence is weighed',
    '',
    'Every rule that holds is evidence for the class of its profile, and for the profile. A weight is the chance that',
    'the device is of that kind when nothing but this is known of it. Evidence of one family (two DHCP options, two names)',
    'comes from one hand: only the strongest counts. Families add up as independent chances do (`1 - (1 - a)(1 - b)`), and',
    'a rule below 0 takes its share away. The odds of each class stand against those of all others and of something',
    'nobody thought of: that is the confidence, and what contradicts lowers it. The second best is the runner-up.',
    'Rules and profiles that are not verified lift nothing above 0.6.',
    '',
    'A class below 0.3 is not told. Vendor, model, operating system and the rest are decided in the same way, from what',
    'the device says of itself, its address and the profiles of its class. What a device that has learned its normal',
    'behaviour begins to do later is no evidence of what it is, for that is what is watched.',
    '',
    '## Patterns',
    '',
    `\`glob\` fits a whole text: \`*\` any text, \`?\` one character, \`{name}\` a part that is kept (${code(CAPTURES)}).`,
    '`words` finds words wherever they stand: a text is cut at everything that is neither letter nor digit, and between',
    'letters and digits, so that `CT_SOMATOM1` has the words `ct`, `somatom` and `1`. `pump*` is the beginning of a word.',
    'Case does not count. There are no other wildcards: a match costs at most the product of both lengths.',
    '',
    '## Sources',
    '',
    '| source | observation | field | about |',
    '| --- | --- | --- | --- |',
    ...sources,
    '| `oui` | the MAC address | maker of its first 24 bits | |',
    '| `dns.name` | `dns.response` | `name` | the device that has the address |',
    '| `network.role` | the MAC address | `gateway`: many senders behind it | |',
    '',
    `\`name\` stands for ${code(NAME_SOURCES)}. \`text\` stands for these and ${code(TEXT_SOURCES.filter((source) => !NAME_SOURCES.includes(source)))}.`,
    '',
    '## Protocols of `serves` and `uses`',
    '',
    `${code(ACTS)}.`,
    '',
    `Known by the port alone, once somebody answers: ${[...ACT_OF_PORT].map(([port, act]) => `${port} \`${act}\``).join(', ')}.`,
    '',
    '## Classes',
    '',
    '| class | title | life-supporting | worst harm |',
    '| --- | --- | --- | --- |',
    ...[...loadClasses().values()].map(
      (known) => `| \`${known.id}\` | ${known.title} | ${known.lifeSupporting ? 'yes' : ''} | ${known.harm} |`,
    ),
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync('profiles/schema.json', await profileJsonSchema());
  writeFileSync('docs/reference/profiles.md', profilesReference());
}
