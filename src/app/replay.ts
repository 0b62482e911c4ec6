import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Decision } from '../alerts/decisions.ts';
import type { Config } from '../config/index.ts';
import type { FrameBus } from '../bus/bus.ts';
import type { Knowledge } from '../identity/knowledge.ts';
import { isAlert } from '../alerts/correlator.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { AlertRow } from '../kernel/rows.ts';
import { buildHotPath } from './build.ts';
import { Feed } from './feed.ts';
import type { HotPathCounters } from './hot-path.ts';
import { bytesOf, sourceOf } from './inputs.ts';

export interface ReplayRequest {
  readonly learn: readonly string[];
  readonly files: readonly string[];
  readonly out: string;
  readonly config: Config;
  readonly seed: number;
  readonly productVersion: string;
  /** Frames travel through this bus. */
  readonly bus: FrameBus;
  /** What people decided: part of the input. */
  readonly decisions?: readonly Decision[];
  /** Most frames handed to the hot path at once; results do not depend on it. */
  readonly batchFrames: number;
  /** Profiles that are loaded already, for who replays often. */
  readonly knowledge?: Knowledge;
  readonly onProgress?: (state: { frames: number; bytes: number; bytesTotal: number | undefined }) => void;
  readonly onWarning?: (message: string) => void;
}

export interface ReplaySummary {
  wardwatch: string;
  learn: string[];
  files: string[];
  seed: number;
  /** Of all inputs, learning included: frames_read = frames_decoded + sum of undecodable + sum of dropped. */
  frames_read: number;
  frames_decoded: number;
  frames_undecodable: Record<string, number>;
  frames_dropped: Record<string, number>;
  truncated: boolean;
  /** Why the input could not be read to its end; what was read before is in the outputs. */
  failed?: string;
  frames_lost_at_capture: number;
  notes: string[];
  first_time?: string;
  last_time?: string;
  decode_events: Record<string, number>;
  app_events: Record<string, number>;
  /** Lines of the outputs. */
  flows: number;
  devices: number;
  observations: number;
  alerts: number;
  notices: number;
  flow_evictions: number;
  alerts_by_severity: Record<string, number>;
  detectors_off: { id: string; reason: string }[];
  seconds: number;
  cpu_seconds: number;
  packets_per_second: number;
  packets_per_cpu_second: number;
  peak_memory_mib: number;
}

/** Lines of one output, sorted by time and then uid before they are written. */
class Lines {
  readonly #lines: { time: number; uid: string; text: string }[] = [];

  add(time: number, uid: string, text: string): void {
    this.#lines.push({ time, uid, text });
  }

  clear(): void {
    this.#lines.length = 0;
  }

  get count(): number {
    return this.#lines.length;
  }

  async write(path: string): Promise<void> {
    this.#lines.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : a.text < b.text ? -1 : 1));
    await writeLines(
      path,
      this.#lines.map((l) => l.text),
    );
  }
}

/**
 * Runs capture files through the hot path, offline and without a database, and writes what came out.
 * @throws WardwatchError where an input cannot be read to its end or an output not be written; in the first
 *   case what was read before has been written
 */
export async function runReplay(request: ReplayRequest): Promise<ReplaySummary> {
  const started = performance.now();
  const cpuStarted = process.cpuUsage();
  await mkdir(request.out, { recursive: true }).catch((error: unknown) => {
    throw new WardwatchError(
      'WW_OUTPUT',
      `the folder ${request.out} cannot be made: ${describeError(error)}`,
      'give a folder with --out in which you may write',
    );
  });
  const flows = new Lines();
  const observations = new Lines();
  const scores = new Lines();
  const devices = new Lines();
  const alerts = new Map<string, AlertRow>();
  const detectorsOff: { id: string; reason: string }[] = [];
  const { hotPath, detectors, actsRefused } = await buildHotPath({
    config: request.config,
    seed: request.seed,
    stage: 'all',
    productVersion: request.productVersion,
    ...(request.decisions === undefined ? {} : { decisions: request.decisions }),
    ...(request.knowledge === undefined ? {} : { knowledge: request.knowledge }),
    output: {
      alert: (row) => alerts.set(row.uid, row),
      device: (row) => devices.add(row.first_seen, row.device, row.ocsf),
      flow: (row) => flows.add(row.ts, row.uid, JSON.stringify(row)),
      observation: (row) => observations.add(row.ts, row.flow_uid, JSON.stringify(row)),
      score: (row) =>
        scores.add(row.window_start, `${row.window_s}|${row.device}|${row.detector}`, JSON.stringify(row)),
    },
    onDetectorFailure: (id, reason) => {
      detectorsOff.push({ id, reason });
      request.onWarning?.(`the detector ${id} failed and is off: ${reason}`);
    },
  });
  if (actsRefused !== '') request.onWarning?.(`the acts on baselines are those of the last good file: ${actsRefused}`);
  for (const rejected of detectors.rejected) {
    detectorsOff.push({ id: rejected.id, reason: rejected.reason });
    request.onWarning?.(`the detector ${rejected.id} cannot be used: ${rejected.reason}`);
  }

  const feed = new Feed(
    [
      ...(request.learn.length > 0 ? [{ sources: request.learn.map(sourceOf), learning: true }] : []),
      { sources: request.files.map(sourceOf), learning: false },
    ],
    request.bus,
    request.batchFrames,
  );
  feed.onLearned = () => {
    // Outputs are those of the inputs under test; what was learned from is their past.
    flows.clear();
    observations.clear();
    scores.clear();
  };
  let peak = 0;
  const bytesTotal = await bytesOf([...request.learn, ...request.files]);
  feed.onProcessed = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
    request.onProgress?.({ frames: feed.processed, bytes: feed.report().bytesRead, bytesTotal });
    return undefined;
  };
  let failure: Error | undefined;
  try {
    await feed.run(hotPath);
  } catch (error) {
    if (feed.processed === 0) throw error;
    // What was read before is written, and the summary says that it is not all.
    failure = error instanceof Error ? error : new Error(describeError(error));
  }
  hotPath.finish();

  const alertLines = new Lines();
  const noticeLines = new Lines();
  const bySeverity: Record<string, number> = {};
  for (const row of alerts.values()) {
    (isAlert(row) ? alertLines : noticeLines).add(row.time, row.uid, row.ocsf);
    bySeverity[row.severity_id] = (bySeverity[row.severity_id] ?? 0) + 1;
  }
  await alertLines.write(join(request.out, 'alerts.ndjson'));
  await noticeLines.write(join(request.out, 'notices.ndjson'));
  await devices.write(join(request.out, 'devices.ndjson'));
  await flows.write(join(request.out, 'flows.ndjson'));
  await observations.write(join(request.out, 'observations.ndjson'));
  await scores.write(join(request.out, 'scores.ndjson'));

  const counters: HotPathCounters = hotPath.counters();
  const cpu = process.cpuUsage(cpuStarted);
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  const seconds = (performance.now() - started) / 1000;
  const report = feed.report();
  const read = report.framesRead;
  const summary: ReplaySummary = {
    wardwatch: request.productVersion,
    learn: [...request.learn],
    files: [...request.files],
    seed: request.seed,
    frames_read: read,
    frames_decoded: counters.framesDecoded,
    frames_undecodable: counters.framesUndecodable,
    frames_dropped: counters.framesRead === read ? {} : { bus: read - counters.framesRead },
    truncated: report.truncated,
    ...(failure === undefined ? {} : { failed: describeError(failure) }),
    frames_lost_at_capture: report.framesLostAtCapture,
    notes: report.notes,
    ...(hotPath.nowUs === 0
      ? {}
      : {
          first_time: new Date(hotPath.startedUs / 1000).toISOString(),
          last_time: new Date(hotPath.nowUs / 1000).toISOString(),
        }),
    decode_events: counters.decodeEvents,
    app_events: counters.appEvents,
    flows: flows.count,
    devices: devices.count,
    observations: observations.count,
    alerts: alertLines.count,
    notices: noticeLines.count,
    flow_evictions: counters.flowEvictions,
    alerts_by_severity: bySeverity,
    detectors_off: detectorsOff,
    seconds: round(seconds),
    cpu_seconds: round(cpuSeconds),
    packets_per_second: Math.round(counters.framesRead / Math.max(seconds, 1e-3)),
    packets_per_cpu_second: Math.round(counters.framesRead / Math.max(cpuSeconds, 1e-3)),
    peak_memory_mib: Math.round(Math.max(peak, process.memoryUsage.rss()) / 1_048_576),
  };
  await writeLines(join(request.out, 'summary.json'), [JSON.stringify(summary, undefined, 2)]);
  if (failure !== undefined) throw failure;
  return summary;
}

async function writeLines(path: string, lines: readonly string[]): Promise<void> {
  try {
    const file = await open(path, 'w');
    try {
      for (let i = 0; i < lines.length; i += 4096) {
        await file.write(lines.slice(i, i + 4096).join('\n') + '\n');
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
    throw new WardwatchError(
      full ? 'WW_DISK_FULL' : 'WW_OUTPUT',
      `${path} cannot be written: ${describeError(error)}`,
      full
        ? 'free space on that disk, or give another folder with --out'
        : 'give a folder with --out in which you may write',
      { cause: error },
    );
  }
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
