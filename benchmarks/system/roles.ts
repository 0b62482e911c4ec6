/**
 * What a sensor and a detector cost: CPU seconds for a million frames, and memory, over a real broker and a
 * ClickHouse front. CPU time and not frames a second, because that is the same on a busy machine. The time
 * until both are ready (loading code, opening the store) is left out.
 *
 *   node benchmarks/system/roles.ts [FILE...]   default: the captures of demo/
 */
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { startClickHouse } from '../../tests/support/clickhouse/start.ts';
import { startBroker } from '../../tests/support/kafka/broker.ts';
import { killAll, metric, start } from '../../tests/roles/roles.ts';

const named = process.argv.slice(2);
const files =
  named.length > 0 ? named : ['learn', 'attack-1', 'attack-2', 'attack-3', 'attack-4'].map((n) => `demo/${n}.pcap.gz`);

const folder = mkdtempSync(join(tmpdir(), 'wardwatch-roles-'));
const broker = await startBroker();
const clickhouse = await startClickHouse();
try {
  const env = {
    WARDWATCH_BUS__KAFKA__BROKERS: broker.brokers,
    WARDWATCH_STORE__MODE: 'server',
    WARDWATCH_STORE__SERVER__URL: clickhouse.url,
    WARDWATCH_STORE__SERVER__USERNAME: clickhouse.username,
    WARDWATCH_STORE__SERVER__PASSWORD_ENV: 'ROLES_PASSWORD',
    ROLES_PASSWORD: clickhouse.password,
  };
  const topics = start(['topics', 'create'], env, folder);
  if ((await topics.ended) !== 0) throw new Error(topics.output());
  const detector = start(['detector', '--metrics', '127.0.0.1:0'], env, folder);
  const [, watching] = await detector.says(/Metrics: (\S+)\/metrics/);
  await detector.says(/partitions assigned/);
  console.log(
    'file, frames, CPU s per million frames: sensor, detector; resident MiB: sensor, detector; devices, rows stored',
  );
  for (const file of files) {
    const cpuBefore = await cpuOf(watching!);
    const sensor = start(['sensor', '-', '--metrics', '127.0.0.1:0'], env, folder);
    const [, sending] = await sensor.says(/Metrics: (\S+)\/metrics/);
    const started = await cpuOf(sending!);
    const raw = createReadStream(file);
    const unzip = file.endsWith('.gz') ? [createGunzip()] : [];
    // Kept open until the figures are read: the end of its input ends the sensor.
    await pipeline([raw, ...unzip, sensor.child.stdin], { end: false });
    const frames = await settled(() => metric(sending!, 'bus_published_frames_total'));
    const sensorCpu = (await cpuOf(sending!)) - started;
    const sensorMemory = await metric(sending!, 'process_resident_memory_bytes');
    await settled(() => metric(watching!, 'frames_read_total'));
    const cpu = (await cpuOf(watching!)) - cpuBefore;
    const memory = await metric(watching!, 'process_resident_memory_bytes');
    const perMillion = (seconds: number): string => ((seconds / frames) * 1e6).toFixed(1);
    const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
    console.log(
      `${file}, ${frames}, ${perMillion(sensorCpu)}, ${perMillion(cpu)}, ${mib(sensorMemory)}, ${mib(memory)}, ` +
        `${await metric(watching!, 'devices')}, ${await rowsOf(watching!)}`,
    );
    sensor.child.stdin.end();
    await sensor.ended;
  }
  detector.child.kill('SIGTERM');
  await detector.ended;
} finally {
  killAll();
  await clickhouse.stop();
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
}

function cpuOf(base: string): Promise<number> {
  return metric(base, 'process_cpu_seconds_total');
}

/** The value when it has grown and then stood still for two seconds. */
async function settled(ask: () => Promise<number>): Promise<number> {
  const first = await ask();
  for (let last = first, same = 0; ;) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = await ask();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
    if (same === 8) return now;
  }
}

async function rowsOf(base: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text();
  const rows = text.matchAll(/^wardwatch_store_rows_written_total\{\S+\} (\S+)$/gm);
  return [...rows].reduce((sum, [, n]) => sum + Number(n), 0);
}
