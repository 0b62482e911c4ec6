import { userInfo } from 'node:os';
import { lookBack } from '../app/look-back.ts';
import { addAct } from '../baseline/acts.ts';
import type { BaselineAct } from '../baseline/acts.ts';
import { diffRanges } from '../baseline/report.ts';
import type { DeviceBaseline, UsualRange } from '../baseline/report.ts';
import { createMemoryBus } from '../bus/memory/index.ts';
import { loadConfig } from '../config/index.ts';
import { silentReporter } from '../kernel/component.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';
import type { BaselineOptions } from './baseline.ts';
import { version } from './index.ts';

const KEY = /^[^/]{1,64}\/[0-9a-zA-Z:.]{1,64}$/;

export async function showBaseline(name: string, options: BaselineOptions): Promise<void> {
  const baseline = await theOne(name, options);
  process.stdout.write(options.json === true ? `${JSON.stringify(baseline)}\n` : asText(baseline));
}

export async function exportBaseline(name: string, options: BaselineOptions): Promise<void> {
  process.stdout.write(`${JSON.stringify(await theOne(name, options), undefined, 2)}\n`);
}

export async function diffBaseline(
  name: string,
  before: number | undefined,
  after: number | undefined,
  options: BaselineOptions,
): Promise<void> {
  const baseline = await theOne(name, options);
  const kept = baseline.versions;
  const find = (n: number): (typeof kept)[number] => {
    const found = kept.find((v) => v.version === n);
    if (found !== undefined) return found;
    const there = kept.map((v) => v.version).join(', ');
    throw new WardwatchError(
      'WW_USAGE',
      `there is no version ${n}`,
      there === '' ? 'none is kept yet' : `kept are ${there}`,
    );
  };
  const a = before === undefined ? kept.at(-1) : find(before);
  if (a === undefined)
    throw new WardwatchError(
      'WW_USAGE',
      `${tame(baseline.device)} has no version yet: it is still learning`,
      baseline.why,
    );
  const b = after === undefined ? undefined : find(after);
  const until = b?.at ?? '9999';
  const lines = [
    `${tame(baseline.device)}: version ${a.version} (${a.why}, ${a.at}) to ${b === undefined ? 'now' : `version ${b.version} (${b.why}, ${b.at})`}`,
  ];
  const fresh = baseline.channels.filter((c) => c.first > a.at && c.first <= until);
  lines.push('', fresh.length === 0 ? 'No new channel.' : `New channels: ${fresh.length}`);
  for (const c of fresh) lines.push(`  ${channelText(c)}`);
  const moved = diffRanges(a.ranges, b?.ranges ?? baseline.ranges);
  lines.push('', moved.length === 0 ? 'No usual range moved by more than a tenth.' : 'Usual ranges that moved:');
  for (const m of moved)
    lines.push(`  ${m.before.feature} in ${m.before.window_s} s: ${rangeText(m.before)} -> ${rangeText(m.after)}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

export async function actOnBaseline(
  act: BaselineAct['act'],
  key: string,
  wanted: number | undefined,
  options: BaselineOptions,
): Promise<void> {
  const file = options.acts ?? loadConfig({ file: options.config }).config.hotPath.baseline.acts_file;
  if (file === '')
    throw new WardwatchError(
      'WW_USAGE',
      'no file for acts is set',
      'give --acts FILE, or set hotPath.baseline.acts_file',
    );
  if (!KEY.test(key))
    throw new WardwatchError(
      'WW_USAGE',
      `${tame(key, 80)} is no key of a device`,
      'take it from `wardwatch baseline show`',
    );
  const atUs = options.at ?? Date.now() * 1000;
  addAct(file, {
    device: key,
    act,
    ...(wanted === undefined ? {} : { version: wanted }),
    atUs,
    by: (options.by ?? userInfo().username).slice(0, 200),
    reason: (options.reason ?? '').slice(0, 500),
  });
  const when = new Date(atUs / 1000).toISOString();
  process.stdout.write(
    `${act} of ${key} holds from ${when} (event time); written to ${file}, read when Wardwatch starts\n`,
  );
}

async function theOne(name: string, options: BaselineOptions): Promise<DeviceBaseline> {
  const { config } = loadConfig({ file: options.config });
  const bus = createMemoryBus({ ...config.bus.memory, partitions: 1 }, { reporter: silentReporter });
  try {
    const { hotPath } = await lookBack({
      learn: options.learn,
      files: options.from,
      config,
      seed: options.seed,
      productVersion: version(),
      bus,
      onWarning: (message) => process.stderr.write(`wardwatch: warning: ${message}\n`),
    });
    const found = hotPath.baselinesOf(name);
    const [first] = found;
    if (first === undefined)
      throw new WardwatchError(
        'WW_USAGE',
        `no device ${tame(name, 80)} was seen`,
        'see devices.ndjson of a replay for who was',
      );
    if (found.length > 1)
      throw new WardwatchError(
        'WW_USAGE',
        `${found.length} devices are called ${tame(name, 80)}`,
        `take one of ${found.map((b) => tame(b.device)).join(', ')}`,
      );
    return first;
  } finally {
    await bus.stop();
  }
}

function asText(b: DeviceBaseline): string {
  const lines = [
    `${tame(b.device)}  ${tame(b.name === '' ? b.ip : b.name)}  ${b.type}`,
    `${b.phase}: ${b.why}`,
    `${b.minutes_learned} active minutes learned; the next peer or service is new with a chance of ${Math.round(b.chance_of_new * 1000) / 10} %`,
    ...(b.reverted_to !== undefined
      ? [`goes by version ${b.reverted_to}, frozen`]
      : b.frozen
        ? ['frozen: it takes nothing in']
        : []),
    '',
    `With whom (${b.channels.length})`,
    ...b.channels.map((c) => `  ${channelText(c)}`),
    '',
    'Usual ranges (median; 0.5 to 99.5 %)',
    ...b.ranges.map((r) => `  ${r.feature.padEnd(14)} in ${String(r.window_s).padStart(2)} s  ${rangeText(r)}`),
  ];
  if (b.day !== undefined) {
    const most = Math.max(1, ...b.day.active_minutes);
    const bars = b.day.active_minutes.map((m) => '.:-=+*#%@'.charAt(Math.round((8 * m) / most))).join('');
    lines.push('', `Day (UTC, 0 to 23 h, ${b.day.days} days)  ${bars}`);
  }
  lines.push('', `Versions (${b.versions.length})`);
  for (const v of b.versions) lines.push(`  ${v.version}  ${v.at}  ${v.why}`);
  return `${lines.join('\n')}\n`;
}

function channelText(c: DeviceBaseline['channels'][number]): string {
  const who = `${c.direction === 'out' ? 'to' : 'from'} ${tame(c.peer)}${c.peer_name === '' ? '' : ` (${tame(c.peer_name)})`}`;
  const rhythm = c.period_s === undefined ? '' : `, every ${c.period_s} s ± ${c.jitter_s ?? 0} s`;
  const said = c.commands.length === 0 ? '' : `; ${c.commands.map((x) => tame(x)).join(', ')}`;
  const dates = `${c.first.slice(0, 19)} to ${c.last.slice(0, 19)}`;
  return `${who}  ${tame(c.service)}  ${c.flows} times${rhythm}, ${c.bytes_out} bytes out, ${c.bytes_in} in, ${dates}${c.learned ? '' : ', not learned'}${said}`;
}

function rangeText(r: UsualRange): string {
  return `${r.median}; ${r.low} to ${r.high} ${r.unit}`;
}
