import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { devicesOfCapture } from '../app/devices-of-capture.ts';
import { loadConfig } from '../config/index.ts';
import { loadClasses } from '../identity/classes.ts';
import { crossValidate } from '../identity/types/evaluate.ts';
import { featuresOf } from '../identity/types/features.ts';
import { readTypes } from '../identity/types/file.ts';
import { trainTypes } from '../identity/types/model.ts';
import type { LearnedType, TypeExample } from '../identity/types/model.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { decodeText, parseCsv } from '../lib/csv.ts';
import { nearest } from '../lib/nearest.ts';
import { tame } from '../lib/tame.ts';
import type { TypesOptions } from './device-types.ts';

interface Label {
  readonly mac: string;
  readonly ip: string;
  readonly file: string;
  readonly type: LearnedType;
}

export async function trainCommand(captures: readonly string[], options: TypesOptions): Promise<void> {
  const model = trainTypes(await examplesOf(captures, options));
  try {
    writeFileSync(options.out, model.toFile());
  } catch (error) {
    const remedy = 'check the path and its rights';
    throw new WardwatchError('WW_OUTPUT', `${options.out} cannot be written: ${describeError(error)}`, remedy, {
      cause: error,
    });
  }
  process.stdout.write(
    `${options.out}: ${model.types.length} types, ${model.examples} different examples, ${model.features} features\n`,
  );
}

export async function testCommand(captures: readonly string[], options: TypesOptions): Promise<void> {
  const trials = crossValidate(await examplesOf(captures, options), options.folds, options.seed);
  const right = trials.filter(({ type, answer }) => answer?.type.name === type).length;
  const unknown = trials.filter(({ answer }) => answer === undefined).length;
  process.stdout.write(
    `${trials.length} examples: ${right} right, ${unknown} called unknown, ${trials.length - right - unknown} wrong\n`,
  );
  const wrong = new Map<string, number>();
  for (const { type, answer } of trials)
    if (answer?.type.name !== type) {
      const text = `${type}, answered ${answer?.type.name ?? 'unknown'}`;
      wrong.set(text, (wrong.get(text) ?? 0) + 1);
    }
  for (const [what, times] of [...wrong].sort()) process.stdout.write(`  ${tame(what)}: ${times}\n`);
}

export function showCommand(file: string): void {
  const model = readTypes(file)!;
  process.stdout.write(`${model.types.length} types, ${model.examples} examples, ${model.features} features\n`);
  for (const { name, class: cls, vendor, model: product } of model.types)
    process.stdout.write(`  ${tame([name, cls, vendor, product].filter((part) => part !== undefined).join(', '))}\n`);
}

async function examplesOf(captures: readonly string[], options: TypesOptions): Promise<TypeExample[]> {
  const labels = readLabels(options.labels);
  const { config } = loadConfig({ file: options.config });
  const found: TypeExample[] = [];
  for (const capture of captures)
    for (const device of await devicesOfCapture(capture, config)) {
      const label = labels.find(
        ({ mac, ip, file }) =>
          (mac === '' ? device.addresses.has(ip) : device.mac === mac) && basename(capture).includes(file),
      );
      if (label !== undefined) found.push({ type: label.type, features: featuresOf(device) });
    }
  return found;
}

function readLabels(file: string): Label[] {
  let text: string;
  try {
    text = decodeText(readFileSync(file));
  } catch (error) {
    throw new WardwatchError('WW_INPUT_MISSING', `${file} cannot be read: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
  const wrong = (line: number, what: string, remedy: string): never => {
    throw new WardwatchError('WW_USAGE', `${file}:${line}: ${what}`, remedy);
  };
  const [head, ...records] = parseCsv(text);
  const columns = (head?.cells ?? []).map((name) => name.toLowerCase());
  if (!columns.includes('type') || !(columns.includes('mac') || columns.includes('ip')))
    wrong(1, 'there is no column `type`, or neither `mac` nor `ip`', 'name the columns in the first line');
  const classes = loadClasses();
  return records.map(({ line, cells }) => {
    const of = (name: string): string => cells[columns.indexOf(name)] ?? '';
    const hex = of('mac')
      .toLowerCase()
      .replace(/[^0-9a-f]/g, '');
    if (of('type') === '') wrong(line, 'there is no type', 'name one, or remove the line');
    if (hex.length !== 12 && (of('mac') !== '' || of('ip') === ''))
      wrong(line, 'there is no MAC address', 'write it as aa:bb:cc:dd:ee:ff, or give an IP address');
    const cls = of('class');
    if (cls !== '' && !classes.has(cls)) {
      const meant = nearest(cls, [...classes.keys()]);
      wrong(
        line,
        `${tame(cls, 60)} is no class`,
        meant === undefined ? 'see profiles/classes.json' : `did you mean ${meant}?`,
      );
    }
    return {
      mac: hex.replace(/(..)(?=.)/g, '$1:'),
      ip: of('ip'),
      file: of('file'),
      type: {
        name: of('type'),
        ...(cls === '' ? {} : { class: cls }),
        ...(of('vendor') === '' ? {} : { vendor: of('vendor') }),
        ...(of('model') === '' ? {} : { model: of('model') }),
      },
    };
  });
}
