/**
 * How well types of devices are learned, on IoT Sentinel's captures (Miettinen et al., ICDCS 2017): five stratified
 * folds over the captures, MAC address and maker hidden, and each type in turn left out of the training. Prints the
 * figures and writes them to benchmarks/detection/TYPES.md.
 *
 * usage: node benchmarks/detection/types.ts [folder with one folder of captures a device]
 * With a folder (the whole data set has 27 types, shared/captures a part of it) the figures are only printed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { devicesOfCapture } from '../../src/app/devices-of-capture.ts';
import { loadConfig } from '../../src/config/index.ts';
import { crossValidate, leaveOutTypes } from '../../src/identity/types/evaluate.ts';
import type { TypeTrial } from '../../src/identity/types/evaluate.ts';
import { featuresOf } from '../../src/identity/types/features.ts';
import { trainTypes } from '../../src/identity/types/model.ts';
import type { TypeExample } from '../../src/identity/types/model.ts';
import { requireCaptures } from '../../tests/support/captures.ts';

const LEAST_CAPTURES = 5;
const FOLDS = 5;
const SEEDS = 5;
/** Accuracy over 27 types in the paper's table. */
const PUBLISHED = 0.815;

/** Two pieces of one product are one type, as in the paper. */
const typeOf = (folder: string): string => folder.replace(/(Cam|Switch)[12]$/, '$1');
/** Products on the same hardware and software, which only their names or nothing at all tell apart (the paper, VI-B). */
const GROUPS: Readonly<Record<string, string>> = {
  'D-LinkSensor': 'D-Link sensors and plug',
  'D-LinkSiren': 'D-Link sensors and plug',
  'D-LinkSwitch': 'D-Link sensors and plug',
  'D-LinkWaterSensor': 'D-Link sensors and plug',
  EdimaxPlug1101W: 'Edimax plugs',
  EdimaxPlug2101W: 'Edimax plugs',
  SmarterCoffee: 'Smarter kettle and coffee machine',
  iKettle2: 'Smarter kettle and coffee machine',
  'TP-LinkPlugHS100': 'TP-Link plugs',
  'TP-LinkPlugHS110': 'TP-Link plugs',
};
const groupOf = (type: string): string => GROUPS[type] ?? type;

const given = process.argv[2];
const dir = given ?? join(requireCaptures(), 'devices', 'iot-sentinel');
const { config } = loadConfig({ file: undefined });
let examples: TypeExample[] = [];
let silent = 0;
for (const folder of readdirSync(dir).sort()) {
  const macFile = join(dir, folder, '_iotdevice-mac.txt');
  if (!existsSync(macFile)) continue;
  const mac = readFileSync(macFile, 'utf8').trim().toLowerCase();
  for (const file of readdirSync(join(dir, folder))
    .filter((name) => name.endsWith('.pcap'))
    .sort()) {
    const device = (await devicesOfCapture(join(dir, folder, file), config)).find((d) => d.mac === mac);
    const features = device === undefined ? [] : featuresOf(device);
    if (features.length === 0) silent++;
    else examples.push({ type: { name: typeOf(folder) }, features });
  }
}
const counts = new Map<string, number>();
for (const { type } of examples) counts.set(type.name, (counts.get(type.name) ?? 0) + 1);
const types = new Set([...counts].filter(([, n]) => n >= LEAST_CAPTURES).map(([type]) => type));
examples = examples.filter(({ type }) => types.has(type.name));

const share = (trials: readonly TypeTrial[], right: (trial: TypeTrial) => boolean): number =>
  trials.filter(right).length / trials.length;
const runs = Array.from({ length: SEEDS }, (_, seed) => crossValidate(examples, FOLDS, seed));
const over = (right: (trial: TypeTrial) => boolean): [mean: number, worst: number] => {
  const shares = runs.map((trials) => share(trials, right));
  return [shares.reduce((sum, x) => sum + x, 0) / SEEDS, Math.min(...shares)];
};
const three = (x: number): string => x.toFixed(3);
const row = (what: string, right: (trial: TypeTrial) => boolean, goal: string): string => {
  const [mean, worst] = over(right);
  return `| ${what} | ${three(mean)} | ${three(worst)} | ${goal} |`;
};
const named = (trial: TypeTrial): string | undefined => trial.answer?.type.name;
const unknown = (trial: TypeTrial): boolean => trial.answer === undefined;
const left = leaveOutTypes(examples);
const leftGroups = leaveOutTypes(examples, groupOf);
const perType = (trials: readonly TypeTrial[]): [type: string, share: number][] =>
  [...types].sort().map((type) => [
    type,
    share(
      trials.filter((trial) => trial.type === type),
      unknown,
    ),
  ]);
const failing = (trials: readonly TypeTrial[]): string =>
  perType(trials)
    .filter(([, x]) => x < 0.9)
    .map(([type, x]) => `${type} ${three(x)}`)
    .join(', ') || 'none';

const wrong = new Map<string, number>();
for (const trials of runs)
  for (const trial of trials)
    if (named(trial) !== trial.type) {
      const text = `${trial.type}, answered ${named(trial) ?? 'unknown'}`;
      wrong.set(text, (wrong.get(text) ?? 0) + 1);
    }
const bins = [0, 0.4, 0.6, 0.8, 0.9, 1.001];
const answered = runs.flat().filter((trial) => trial.answer !== undefined);
const model = trainTypes(examples);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const lines = [
  '<!-- Written by benchmarks/detection/types.ts. -->',
  '',
  '# Types of devices, learned',
  '',
  `Commit ${commit}. IoT Sentinel's captures of devices being set up: ${examples.length} captures of ${types.size} types`,
  `with at least ${LEAST_CAPTURES} captures each, ${new Set([...types].map(groupOf)).size} groups with equal hardware;`,
  `${silent} captures in which the device said nothing are left out. Five stratified folds over captures, five seeds;`,
  'MAC address and maker of the interface are hidden.',
  '',
  '| | mean | worst seed | goal |',
  '| --- | --- | --- | --- |',
  row('type right', (t) => named(t) === t.type, `0.93 (published: ${PUBLISHED}, 27 types)`),
  row('group right', (t) => t.answer !== undefined && groupOf(t.answer.type.name) === groupOf(t.type), '1.000'),
  `| the same, of those answered | ${three(share(answered, (t) => groupOf(t.answer!.type.name) === groupOf(t.type)))} | | 1.000 |`,
  row('type or runner-up right', (t) => [named(t), t.answer?.runnerUp?.type.name].includes(t.type), '0.995'),
  row('called unknown though learned', unknown, ''),
  `| left-out type called unknown, over captures | ${three(share(left, unknown))} | | 0.900 |`,
  `| the same, least of a type | ${three(Math.min(...perType(left).map(([, x]) => x)))} | | 0.900 |`,
  `| left out with its twins, least of a type | ${three(Math.min(...perType(leftGroups).map(([, x]) => x)))} | | 0.900 |`,
  '',
  `Left-out types called unknown in fewer than 0.9 of their captures: ${failing(left)}; with their twins left out: ${failing(leftGroups)}.`,
  '',
  'Confidence beside what came true:',
  '',
  '| confidence | n | mean | right |',
  '| --- | --- | --- | --- |',
  ...bins.slice(0, -1).map((low, i) => {
    const inside = answered.filter(({ answer }) => answer!.confidence >= low && answer!.confidence < bins[i + 1]!);
    const mean = inside.reduce((sum, { answer }) => sum + answer!.confidence, 0) / inside.length;
    return `| ${low} to ${Math.min(bins[i + 1]!, 1)} | ${inside.length} | ${
      inside.length === 0 ? '- | -' : `${mean.toFixed(2)} | ${three(share(inside, (t) => named(t) === t.type))}`
    } |`;
  }),
  '',
  ...(wrong.size === 0
    ? []
    : ['Not right, over all seeds:', '', ...[...wrong].sort().map(([text, n]) => `- ${text}: ${n}`), '']),
  `The model of all captures: ${model.features} features, ${model.examples} different examples, ${model.toFile().length} bytes.`,
  '',
];
console.log(lines.join('\n'));
if (given === undefined) writeFileSync(new URL('TYPES.md', import.meta.url), lines.join('\n'));
