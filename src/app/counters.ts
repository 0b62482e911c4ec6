import type { HotPathCounters } from './hot-path.ts';

/** Adds up counters (or takes them away), part by part. A part is a number or holds parts. */
export function sumOf<T extends object>(a: T, b: T, sign: 1 | -1 = 1): T {
  const sum = { ...a } as Record<string, unknown>;
  for (const [name, part] of Object.entries(b) as [string, number | object][]) {
    const before = sum[name] as number | object | undefined;
    sum[name] =
      typeof part === 'number'
        ? (typeof before === 'number' ? before : 0) + sign * part
        : sumOf(typeof before === 'object' ? before : {}, part, sign);
  }
  return sum as T;
}

/** What was counted since `inherited`, which another process has told; what is held now, as it is. */
export function countedSince(now: HotPathCounters, inherited: HotPathCounters | undefined): HotPathCounters {
  if (inherited === undefined) return now;
  const { openFlows, devices, streams } = now;
  const since = sumOf(now, inherited, -1);
  return { ...since, openFlows, devices, streams: { ...since.streams, heldBytes: streams.heldBytes } };
}

/** Counters of who holds nothing any more. */
export function withoutHoldings(counters: HotPathCounters): HotPathCounters {
  return { ...counters, openFlows: 0, devices: 0, streams: { ...counters.streams, heldBytes: 0 } };
}
