import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { wholeNumber } from './replay.ts';

export interface SensorOptions extends GlobalOptions {
  interface?: string;
  partition: number;
  metrics?: { host: string; port: number };
  quiet?: boolean;
}

/** `9464`, `0.0.0.0:9464` or `[::]:9464`; without a host this machine alone is served. */
export function address(value: string): { host: string; port: number } {
  const parts = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):)?(\d{1,5})$/.exec(value);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65_535) throw new InvalidArgumentError('it must be PORT, HOST:PORT or [IPv6]:PORT');
  return { host: parts[1] ?? parts[2] ?? '127.0.0.1', port };
}

export function registerSensor(program: Command): void {
  program
    .command('sensor')
    .argument('[file...]', 'captures to send, pcap or pcapng, also .gz or .zst; `-` is standard input')
    .description('put mirrored traffic on the frames topic of Kafka, for detectors elsewhere')
    .option('-i, --interface <name>', 'capture from a network interface that receives mirrored traffic')
    .option('--partition <n>', 'partition of the topic; each sensor has its own', wholeNumber, 0)
    .option('--metrics <address>', 'serve /metrics, /healthz and /readyz at [HOST:]PORT', address)
    .option('--quiet', 'no progress and no closing lines')
    .addHelpText(
      'after',
      examples(
        ['wardwatch sensor -i eth1', 'a mirror port'],
        ['wardwatch sensor -i eth2 --partition 1', 'a second one'],
        ['wardwatch sensor tuesday.pcap.gz', 'a capture'],
        ['tcpdump -i eth1 -w - | wardwatch sensor -', 'from another program'],
      ) +
        `

What one sensor sends stays in order and goes to one partition, where one detector watches it, or is divided by VLAN
(bus.kafka.shard_by). While the broker is away the sensor waits: a capture loses nothing; what an interface receives
meanwhile goes to the queue on disk (bus.kafka.queue), and is sent when the broker is back, or by the next start.
Without a queue it is lost when the kernel's buffer (sources.live.buffer_mib) is full, and counted. Then, after bus.kafka.delivery_timeout_ms the sensor ends with
exit code 69, for its supervisor to start it again. SIGTERM sends what was taken and ends.`,
    )
    .action(async (files: string[], _options: unknown, command: Command) => {
      const { sensorCommand } = await import('./sensor-action.ts');
      await sensorCommand(files, command.optsWithGlobals<SensorOptions>());
    });
}
