import type { FrameBus } from '../bus/bus.ts';
import type { Config } from '../config/index.ts';
import type { AlertRow } from '../kernel/rows.ts';
import { buildHotPath } from './build.ts';
import { Feed } from './feed.ts';
import type { HotPath } from './hot-path.ts';
import { sourceOf } from './inputs.ts';

export interface LookBackRequest {
  readonly learn: readonly string[];
  readonly files: readonly string[];
  readonly config: Config;
  readonly seed: number;
  readonly productVersion: string;
  readonly bus: FrameBus;
  readonly onWarning: (message: string) => void;
}

/** What the hot path knows after the captures, and the alerts and notices they led to, by uid. */
export interface LookedBack {
  readonly hotPath: HotPath;
  readonly alerts: ReadonlyMap<string, AlertRow>;
  readonly frames: number;
}

/**
 * Takes captures through the hot path as a replay does, for what it knows afterwards; nothing is written.
 * @throws WardwatchError where an input cannot be read
 */
export async function lookBack(request: LookBackRequest): Promise<LookedBack> {
  const alerts = new Map<string, AlertRow>();
  const { hotPath, detectors, actsRefused } = await buildHotPath({
    config: request.config,
    seed: request.seed,
    stage: 'all',
    productVersion: request.productVersion,
    output: { alert: (row) => alerts.set(row.uid, row) },
    onDetectorFailure: (id, reason) => request.onWarning(`the detector ${id} failed and is off: ${reason}`),
  });
  if (actsRefused !== '') request.onWarning(`the acts on baselines are those of the last good file: ${actsRefused}`);
  for (const { id, reason } of detectors.rejected) request.onWarning(`the detector ${id} cannot be used: ${reason}`);
  const feed = new Feed(
    [
      ...(request.learn.length > 0 ? [{ sources: request.learn.map(sourceOf), learning: true }] : []),
      { sources: request.files.map(sourceOf), learning: false },
    ],
    request.bus,
    4096,
  );
  await feed.run(hotPath);
  hotPath.finish();
  return { hotPath, alerts, frames: feed.processed };
}
