import { createKafkaBus } from '../bus/kafka/index.ts';
import { createSharding } from '../bus/sharding.ts';
import type { Config } from '../config/index.ts';
import type { Reporter } from '../kernel/component.ts';
import { WardwatchError } from '../kernel/errors.ts';
import type { FrameSource } from '../kernel/frames.ts';
import { createLiveSource, mergeSources } from '../sources/index.ts';
import { createTelemetry } from '../telemetry/index.ts';
import { sourceOf } from './inputs.ts';
import { createStatusPort } from './status-port.ts';
import type { Address } from './status-port.ts';

export interface SensorRequest {
  readonly config: Config;
  readonly productVersion: string;
  /** Capture files or `-`. */
  readonly files: readonly string[];
  readonly interface: string | undefined;
  readonly partition: number;
  /** Where probes and metrics are served; undefined: nowhere. */
  readonly statusPort: Address | undefined;
  /** Aborted by a signal: take nothing more, send what was taken, end. */
  readonly stop: AbortSignal;
  /** The broker is there and frames are being sent. */
  readonly onReady: (statusUrl: string | undefined) => void;
  readonly onProgress: (state: { frames: number; bytes: number; bytesTotal: number | undefined }) => void;
}

export interface SensorSummary {
  /** Frames taken from the source: published + dropped. */
  readonly framesRead: number;
  /** Frames that the broker has acknowledged. */
  readonly framesPublished: number;
  /** Frames that the sensor had to give up, by reason. */
  readonly framesDropped: Readonly<Record<string, number>>;
  /** Frames that the capturing side says it lost before they reached the sensor. */
  readonly framesLostAtCapture: number;
  readonly truncated: boolean;
  readonly notes: readonly string[];
}

/** How long the broker may take to acknowledge the rest after a signal. */
const DRAIN_MS = 8000;

/**
 * Puts the frames of an interface, of capture files or of standard input on the frames topic, in their
 * order, on one partition or divided by `bus.kafka.shard_by`. A slow broker slows the source; one that stays away for longer than
 * `bus.kafka.delivery_timeout_ms` ends the sensor with WW_BROKER. Frames of an interface go to the queue on disk
 * (`bus.kafka.queue`) instead, and to the broker when it is back, or with the next start. Resolves at the end of the source or after
 * `stop`, when the broker has acknowledged everything, or after some seconds what it has.
 */
export async function runSensor(request: SensorRequest): Promise<SensorSummary> {
  const { config } = request;
  const telemetry = createTelemetry(config.telemetry, { version: request.productVersion });
  const reporter = telemetry.reporter('sensor');
  const tally = createTally(telemetry.reporter('bus'));
  const bus = createKafkaBus(config.bus.kafka, { reporter: tally.reporter });
  const live = request.interface !== undefined;
  const publisher = bus.publisher({ live, lostAtCapture: () => merged.report().framesLostAtCapture });
  let connected = false;
  const port =
    request.statusPort === undefined
      ? undefined
      : createStatusPort(request.statusPort, {
          metrics: () => telemetry.metrics(),
          obstacles: async () => (connected ? [] : ['the broker has not been reached yet']),
        });
  const sources: FrameSource[] =
    request.interface === undefined
      ? request.files.map(sourceOf)
      : [createLiveSource({ ...config.sources.live, interface: request.interface })];
  const merged = mergeSources(sources);
  let reported = { frames: 0, lost: 0 };
  const tellCounts = (): void => {
    const { framesRead, framesLostAtCapture, bytesRead, bytesTotal } = merged.report();
    reporter.count('frames_captured', framesRead - reported.frames);
    reporter.count('frames_lost_at_capture', framesLostAtCapture - reported.lost);
    if (framesLostAtCapture > reported.lost)
      reporter.log('warn', 'the capture has lost frames', { frames: framesLostAtCapture - reported.lost });
    reported = { frames: framesRead, lost: framesLostAtCapture };
    request.onProgress({ frames: framesRead, bytes: bytesRead, bytesTotal });
  };

  const send = async (): Promise<void> => {
    const { shard_by: by, tap, partitions } = config.bus.kafka;
    const divide = by === 'whole' ? undefined : createSharding(by, tap, partitions);
    for await (const { batch } of merged.items(request.stop)) {
      const parts = divide?.(batch) ?? [{ partition: request.partition, batch }];
      for (const part of parts) await publisher.publish(part.batch, part.partition);
    }
    await publisher.end();
  };

  let telling: NodeJS.Timeout | undefined;
  try {
    await port?.start();
    await publisher.start();
    connected = true;
    request.onReady(port?.url());
    telling = setInterval(tellCounts, 500);
    await drained(send(), request.stop);
  } finally {
    clearInterval(telling);
    await bus.stop();
    tellCounts();
    await port?.stop();
  }
  const { framesLostAtCapture, truncated, notes, framesRead } = merged.report();
  return {
    framesRead,
    framesPublished: tally.published(),
    framesDropped: tally.dropped(),
    framesLostAtCapture,
    truncated,
    notes,
  };
}

/** Waits for the end, but not for long after a signal: a broker that is away must not hold the process. */
async function drained(sending: Promise<void>, stop: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let onStop = (): void => {};
  const tooLong = new Promise<never>((_resolve, reject) => {
    onStop = () => {
      timer = setTimeout(
        () =>
          reject(
            new WardwatchError(
              'WW_BROKER',
              `the broker has not acknowledged the last frames within ${DRAIN_MS / 1000} s; they are lost and counted`,
              'see the log of the broker; a capture file can be sent again',
            ),
          ),
        DRAIN_MS,
      );
    };
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
  });
  try {
    await Promise.race([sending, tooLong]);
  } finally {
    // What it says after that is about the stop that follows.
    sending.catch(() => undefined);
    clearTimeout(timer);
    stop.removeEventListener('abort', onStop);
  }
}

/** Passes everything on and keeps count of the frames. */
function createTally(to: Reporter) {
  let published = 0;
  const dropped: Record<string, number> = {};
  const reporter: Reporter = {
    ...to,
    count(name, n = 1, labels) {
      if (name === 'bus_published_frames') published += n;
      to.count(name, n, labels);
    },
    dropped(what, n, reason) {
      if (what === 'frames') dropped[reason] = (dropped[reason] ?? 0) + n;
      to.dropped(what, n, reason);
    },
  };
  return { reporter, published: () => published, dropped: () => dropped };
}
