/**
 * Fifty analysts beside the hot path: `node benchmarks/system/load.ts [seconds] [analysts] [copies]`. `wardwatch run` reads
 * that many copies of the demo's capture as fast as it can, and each analyst asks once a second for what the console
 * asks for: the queue, filtered queues, what has changed, devices, status. The frames that the hot path has seen at the
 * end are compared with those of the files.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import type { PipelineStatus } from '../../src/api/index.ts';

const seconds = Number(process.argv[2] ?? 20);
const analysts = Number(process.argv[3] ?? 50);
const copies = Number(process.argv[4] ?? 60);
const folder = mkdtempSync(join(tmpdir(), 'wardwatch-load-bench-'));
const capture = resolve('demo/attack-1.pcap.gz');

const child = spawn(
  process.execPath,
  [resolve('bin/wardwatch.js'), 'run', ...Array.from({ length: copies }, () => capture)],
  {
    cwd: folder,
    env: {
      ...process.env,
      WARDWATCH_API__PORT: '0',
      WARDWATCH_API__REQUESTS_PER_MINUTE: '1000000',
      WARDWATCH_ACCESS__SIGN_IN: 'off',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  },
);
const ended = new Promise<void>((settle) => child.on('close', () => settle()));
const url = await new Promise<string>((settle, fail) => {
  let text = '';
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
    const found = /Console: (\S+)/.exec(text)?.[1];
    if (found !== undefined) settle(found);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  void ended.then(() => fail(new Error(`run ended:\n${text}`)));
});

const status = async (): Promise<PipelineStatus> =>
  (await (await fetch(`${url}api/v1/status`)).json()) as PipelineStatus;
const paths = [
  'queue?limit=50',
  'queue?limit=50&sort=severity',
  'queue?limit=50&severity=4',
  'queue?limit=50&text=scan',
  'alerts/changes?limit=100',
  'alerts?limit=50',
  'devices?limit=50',
  'devices?limit=50&text=pump',
  'overview',
  'status',
];
for (const path of paths) {
  const answer = await fetch(`${url}api/v1/${path}`);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
}

// The analysts come when the hot path is at work.
for (;;) {
  const now = await status();
  if (now.state === 'failed') throw new Error(now.error);
  if (now.frames > 0) break;
  await sleep(100);
}
const before = (await status()).frames;
const result = await autocannon({
  url,
  connections: analysts,
  overallRate: analysts,
  duration: seconds,
  requests: paths.map((path) => ({ path: `/api/v1/${path}` })),
});
const after = await status();
let last = after;
for (let quiet = 0; quiet < 5; quiet++) {
  await sleep(1000);
  const now = await status();
  if (now.frames !== last.frames) quiet = -1;
  last = now;
}
const { latency, non2xx, errors, timeouts } = result;
process.stdout.write(
  `${analysts} analysts, one request a second each, ${seconds} s: ${result.requests.total} requests; ` +
    `median ${latency.p50} ms, p97.5 ${latency.p97_5} ms, p99 ${latency.p99} ms; ` +
    `${non2xx} not 2xx, ${errors} errors, ${timeouts} time-outs\n` +
    `meanwhile ${Math.round((after.frames - before) / seconds)} frames/s; in the end ${last.frames} frames in ${copies} copies ` +
    `(${last.frames / copies} each), lost ${JSON.stringify(last.dropped)}; ` +
    `${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}\n`,
);
child.kill('SIGTERM');
await ended;
rmSync(folder, { recursive: true, force: true });
