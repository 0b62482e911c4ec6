/**
 * Every figure of quality, part by part, each a program of its own beside this one. See --help.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface Part {
  readonly name: string;
  readonly says: string;
  /** On two quiet cores. */
  readonly minutes: number;
  readonly args: readonly string[];
  /** Arguments of the short run; undefined where the part is left out of it. */
  readonly quick?: readonly string[];
}

const PARTS: readonly Part[] = [
  {
    name: 'clinical',
    says: 'attacks of a clinical VLAN, with each leading detector off, p-values',
    minutes: 3,
    args: ['--ablation'],
    quick: [],
  },
  {
    name: 'kitsune',
    says: 'the Mirai capture of Kitsune beside its peers',
    minutes: 1.5,
    args: [],
    quick: ['--no-peers'],
  },
  { name: 'wustl', says: 'spoofing and alteration by identity and by statistics', minutes: 0.2, args: [], quick: [] },
  { name: 'metamorphic', says: 'other addresses, epoch and pace, joined captures', minutes: 9, args: [] },
  { name: 'identity', says: 'what devices are', minutes: 1, args: [] },
  { name: 'types', says: 'types of devices, learned', minutes: 1, args: [] },
  { name: 'forest', says: "the isolation forest beside scikit-learn's", minutes: 0.5, args: [], quick: [] },
  { name: 'soak', says: 'a simulated site without attacks, and with', minutes: 40, args: [] },
];
/** Takes too long to run when nothing was asked for by name. */
const BY_NAME = new Set(['soak']);
/** Parts that write a page. */
const PAGES = new Set(['clinical', 'kitsune', 'wustl', 'soak']);

const asked = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const flags = process.argv.slice(2).filter((a) => a.startsWith('--'));
const quick = flags.includes('--quick');
const write = flags.includes('--write') ? ['--write'] : [];
const unknown = [
  ...asked.filter((name) => !PARTS.some((p) => p.name === name)),
  ...flags.filter((flag) => !['--quick', '--write', '--help'].includes(flag)),
];
const parts = PARTS.filter((p) =>
  asked.length > 0 ? asked.includes(p.name) : quick ? p.quick !== undefined : !BY_NAME.has(p.name),
);

if (flags.includes('--help') || unknown.length > 0) {
  const total = (of: readonly Part[]): string => of.reduce((sum, p) => sum + p.minutes, 0).toFixed(0);
  const text = [
    'usage: npm run scorecard [-- [--quick] [--write] [part ...]]',
    '',
    ...PARTS.map((p) => `  ${p.name.padEnd(12)} ${p.says} (about ${p.minutes} min)`),
    '',
    `All but ${[...BY_NAME].join(', ')}: about ${total(PARTS.filter((p) => !BY_NAME.has(p.name)))} min on two quiet cores; --quick: about ${total(PARTS.filter((p) => p.quick !== undefined))}, without peers, ablation and changed captures.`,
    'With --write the pages beside the programs are written anew.',
  ].join('\n');
  if (unknown.length === 0) console.log(text);
  else console.error(`not known: ${unknown.join(', ')}\n${text}`);
  process.exit(unknown.length === 0 ? 0 : 2);
}

const started = performance.now();
let failed = 0;
for (const [i, part] of parts.entries()) {
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  console.log(`\n==== ${part.name} (part ${i + 1} of ${parts.length}, ${minutes} min gone)\n`);
  const script = fileURLToPath(new URL(`${part.name}.ts`, import.meta.url));
  const args = [...((quick ? part.quick : undefined) ?? part.args), ...(PAGES.has(part.name) ? write : [])];
  if (spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' }).status !== 0) failed++;
}
if (failed > 0) console.error(`${failed} parts did not come to their end`);
process.exitCode = failed > 0 ? 1 : 0;
