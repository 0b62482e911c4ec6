import { FEATURES } from '../features/catalogue.ts';
import type { Device } from '../identity/device.ts';
import type { Channel } from '../identity/channels.ts';
import type { Baselines, BaselineVersion } from './baselines.ts';

/** Usual range of a feature in windows of one length. */
export interface UsualRange {
  readonly feature: string;
  readonly unit: string;
  readonly window_s: number;
  readonly median: number;
  /** The 0.5 and 99.5 % quantiles. */
  readonly low: number;
  readonly high: number;
}

/** With whom the device talks, in what, how often, since when. */
export interface UsualChannel {
  readonly peer: string;
  readonly peer_name: string;
  readonly direction: 'out' | 'in';
  readonly service: string;
  readonly commands: readonly string[];
  readonly flows: number;
  readonly bytes_out: number;
  readonly bytes_in: number;
  readonly first: string;
  readonly last: string;
  readonly learned: boolean;
  /** Mean time between beginnings and its mean deviation, in seconds; absent with fewer than three. */
  readonly period_s?: number;
  readonly jitter_s?: number;
}

export interface VersionReport {
  readonly version: number;
  readonly at: string;
  readonly why: string;
  readonly ranges: readonly UsualRange[];
}

/** A device's baseline in the form that people and other programs read. Keys are stable. */
export interface DeviceBaseline {
  readonly device: string;
  readonly name: string;
  readonly ip: string;
  readonly type: string;
  readonly phase: 'learning' | 'watching';
  readonly why: string;
  readonly minutes_learned: number;
  /** Good-Turing chance that the next peer or service is new. */
  readonly chance_of_new: number;
  readonly frozen: boolean;
  /** Version that is gone by after a revert. */
  readonly reverted_to?: number;
  readonly channels: readonly UsualChannel[];
  readonly ranges: readonly UsualRange[];
  /** Minutes with traffic by hour of the day (UTC), over so many days; absent before there are two. */
  readonly day?: { readonly days: number; readonly active_minutes: readonly number[] };
  readonly versions: readonly VersionReport[];
}

const STATS = 4;

export function describeBaseline(
  device: Device,
  baselines: Baselines,
  channels: Iterable<Channel>,
  nowUs: number,
): DeviceBaseline {
  const state = baselines.learningState(device, nowUs);
  const revertedTo = baselines.revertedTo(device.slot);
  const day = baselines.dayPattern(device.slot);
  return {
    device: device.key,
    name: device.hostname,
    ip: device.ip,
    type: device.type,
    phase: state.phase,
    why: state.why,
    minutes_learned: state.windows,
    chance_of_new: round(state.newRate),
    frozen: baselines.isFrozen(device.slot),
    ...(revertedTo === 0 ? {} : { reverted_to: revertedTo }),
    channels: [...channels]
      .map(channelOf)
      .sort((a, b) => (a.last < b.last ? 1 : a.last > b.last ? -1 : a.peer < b.peer ? -1 : 1)),
    ranges: [10, 60].flatMap((seconds) => {
      const windows = baselines.windows(device.slot, seconds);
      return windows.n === 0 ? [] : rangesOf(windows.ranges(), seconds);
    }),
    ...(day === undefined ? {} : { day: { days: day.days, active_minutes: day.activeMinutes } }),
    versions: baselines.versions(device.slot).map(versionOf),
  };
}

/** What differs between two versions: features whose median or range moved by more than a tenth. */
export function diffRanges(
  a: readonly UsualRange[],
  b: readonly UsualRange[],
): { readonly before: UsualRange; readonly after: UsualRange }[] {
  const moved = (x: number, y: number): boolean => Math.abs(x - y) > Math.max(1, 0.1 * Math.max(x, y));
  return a.flatMap((before) => {
    const after = b.find((r) => r.feature === before.feature && r.window_s === before.window_s);
    if (after === undefined) return [];
    return moved(before.median, after.median) || moved(before.high, after.high) ? [{ before, after }] : [];
  });
}

function channelOf(c: Channel): UsualChannel {
  return {
    peer: c.peer,
    peer_name: c.peerName,
    direction: c.isClient ? 'out' : 'in',
    service: c.service === '' ? `${c.proto}/${c.port}` : `${c.service} ${c.proto}/${c.port}`,
    commands: c.commands,
    flows: c.flows,
    bytes_out: c.bytesOut,
    bytes_in: c.bytesIn,
    first: timeOf(c.firstUs),
    last: timeOf(c.lastUs),
    learned: c.learned,
    ...(c.gaps < 2 ? {} : { period_s: round(c.gapMeanS), jitter_s: round(c.gapDeviationS) }),
  };
}

function versionOf(v: BaselineVersion): VersionReport {
  return {
    version: v.n,
    at: timeOf(v.atUs),
    why: v.why,
    ranges: [...rangesOf(v.short, 10), ...rangesOf(v.long, 60)],
  };
}

function rangesOf(stats: Float32Array, seconds: number): UsualRange[] {
  return FEATURES.flatMap((feature, f) => {
    const median = Math.expm1(stats[f * STATS]!);
    const low = Math.expm1(stats[f * STATS + 2]!);
    const high = Math.expm1(stats[f * STATS + 3]!);
    // Nothing was learned, or nothing of this kind ever happens.
    if (Number.isNaN(median) || high === 0) return [];
    return [
      {
        feature: feature.name,
        unit: feature.unit,
        window_s: seconds,
        median: round(median),
        low: round(low),
        high: round(high),
      },
    ];
  });
}

function timeOf(us: number): string {
  return new Date(us / 1000).toISOString();
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
