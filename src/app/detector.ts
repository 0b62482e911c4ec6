import type { Config } from '../config/index.ts';
import { DecisionWatch } from './decisions.ts';
import { storeEvidence } from './evidence.ts';
import { describeError } from '../kernel/errors.ts';
import { readStateKeys } from '../state/seal.ts';
import { createStore } from '../store/index.ts';
import { createTelemetry } from '../telemetry/index.ts';
import { reportProgress, startHotPathThread } from './hot-path-thread.ts';
import type { PipelineProgress } from './pipeline.ts';
import { remember } from './remember.ts';
import { createStatusPort } from './status-port.ts';
import type { Address } from './status-port.ts';
import { tokenKey } from './token-key.ts';

export interface DetectorRequest {
  readonly config: Config;
  readonly productVersion: string;
  readonly learn: readonly string[];
  readonly seed: number;
  /** End at what the topic holds now instead of waiting for more. */
  readonly toTheEnd: boolean;
  /** Where probes and metrics are served; undefined: nowhere. */
  readonly statusPort: Address | undefined;
  /** Aborted by a signal: take nothing more, store what was made, commit, end. */
  readonly stop: AbortSignal;
  readonly onReady: (statusUrl: string | undefined) => void;
  readonly onProgress: (progress: PipelineProgress) => void;
}

/**
 * The hot path over the frames topic, without API and console: rows go to the store. Resolves after `stop`,
 * or at the end of the topic with `toTheEnd`, when all rows are stored and what they were made of is committed.
 */
export async function runDetector(request: DetectorRequest): Promise<PipelineProgress | undefined> {
  const { config } = request;
  const telemetry = createTelemetry(config.telemetry, { version: request.productVersion });
  const reporter = telemetry.reporter('detector');
  const store = createStore(config.store, { reporter: telemetry.reporter('store') });
  let last: PipelineProgress | undefined;
  const raised = new Set<string>();
  const port =
    request.statusPort === undefined
      ? undefined
      : createStatusPort(request.statusPort, {
          metrics: () => telemetry.metrics(),
          obstacles: () =>
            store.ping().then(
              () => [],
              (error: unknown) => [describeError(error)],
            ),
        });
  try {
    await store.start();
    await port?.start();
    const keys = await readStateKeys(config.state.key_file, process.env);
    const watch = new DecisionWatch(store, reporter);
    const known = await watch.read();
    request.onReady(port?.url());
    const thread = startHotPathThread(
      {
        config,
        productVersion: request.productVersion,
        learn: request.learn,
        files: [],
        interface: undefined,
        kafka: true,
        toTheEnd: request.toTheEnd,
        speed: undefined,
        seed: request.seed,
        tokenKey: await tokenKey(config),
        ...known,
      },
      {
        rows: async (batch) => {
          await store.write(batch);
          await storeEvidence(store, batch.evidence ?? [], keys).catch((error: unknown) =>
            reporter.log('warn', 'frames around alerts were not stored', { error: describeError(error) }),
          );
          for (const { uid, severity_id } of batch.alerts ?? []) {
            if (raised.has(uid)) continue;
            remember(raised, uid);
            reporter.count('alerts_raised', 1, { severity: String(severity_id) });
          }
        },
        progress: (progress) => {
          reportProgress(reporter, last, progress);
          last = progress;
          request.onProgress(progress);
        },
        warning: (message) => reporter.log('warn', message),
        obeyed: (rows) => watch.log(rows),
        reporter,
      },
      request.stop,
    );
    const following = new AbortController();
    const followed = watch.follow(following.signal, ({ decisions, obeyed }) => thread.decide(decisions, obeyed));
    try {
      await thread.ended;
    } finally {
      following.abort();
      await followed;
      await thread.terminate();
    }
    return last;
  } finally {
    await port?.stop();
    await store.stop();
  }
}
