import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Readable, Writable } from 'node:stream';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { ATTACK_GROUPS, createSimulation } from '../simulate/index.ts';
import type { Simulation } from '../simulate/index.ts';
import { encodePcapng } from '../sources/index.ts';
import type { SimulateOptions } from './simulate.ts';

async function* sections(simulation: Simulation): AsyncGenerator<Uint8Array> {
  for await (const batch of simulation.batches()) yield encodePcapng(batch, { userAppl: 'wardwatch simulate' });
}

function compressor(file: string): Transform | undefined {
  if (file.endsWith('.gz')) return createGzip({ level: 3 });
  return file.endsWith('.zst') ? createZstdCompress() : undefined;
}

/** Where the capture goes; nowhere when no file was given, and the frames are only made. */
function target(file: string | undefined): Writable {
  if (file === undefined) return new Writable({ write: (_chunk, _encoding, done) => done() });
  if (file !== '-') return createWriteStream(file);
  return new Writable({ write: (chunk: Uint8Array, _encoding, done) => void process.stdout.write(chunk, done) });
}

export async function simulateCommand(options: SimulateOptions): Promise<void> {
  const { devices, hours, seed, thin, out } = options;
  const simulation = createSimulation({
    devices,
    hours,
    seed,
    thin,
    startS: options.start,
    attacks: options.attacks.includes('all') ? ATTACK_GROUPS : options.attacks,
    changes: options.changes,
    quietHours: options.quietHours ?? hours / 2,
  });
  const started = performance.now();
  const packed = out === undefined ? undefined : compressor(out);
  const from = Readable.from(sections(simulation), { objectMode: true, highWaterMark: 2 });
  try {
    if (packed === undefined) await pipeline(from, target(out));
    else await pipeline(from, packed, target(out));
    if (options.truth !== undefined)
      await writeFile(options.truth, `${JSON.stringify(simulation.truth(), undefined, 1)}\n`);
  } catch (error) {
    if (error instanceof WardwatchError || !(error instanceof Error) || !('code' in error)) throw error;
    throw new WardwatchError(
      error.code === 'ENOSPC' ? 'WW_DISK_FULL' : 'WW_OUTPUT',
      `the capture or its truth cannot be written: ${describeError(error)}`,
      'give files in a folder in which you may write, on a disk with room',
      { cause: error },
    );
  }
  const seconds = (performance.now() - started) / 1000;
  const truth = simulation.truth();
  process.stderr.write(
    `${truth.frames} frames (${(truth.bytes / 1e6).toFixed(1)} MB) of ${truth.devices.length} devices over ${hours} h, ` +
      `${truth.events.length} events, in ${seconds.toFixed(1)} s: ${Math.round(truth.frames / seconds)} frames/s, ` +
      `${Math.round(process.memoryUsage.rss() / 1_048_576)} MiB\n`,
  );
}
