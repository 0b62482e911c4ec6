import type { Command } from 'commander';
import { tame } from '../lib/tame.ts';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .argument('<file>', 'capture: pcap or pcapng, also as .gz or .zst')
    .description('say what is in a capture file')
    .option('--json', 'one JSON object instead of lines for people')
    .addHelpText(
      'after',
      examples(
        ['wardwatch inspect ward-3.pcapng', 'times, frames, link types, loss'],
        ['wardwatch inspect ward-3.pcapng --json', 'the same for another program'],
      ),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions & { json?: boolean }>();
      const facts = await inspectContainer(file);
      process.stdout.write(json === true ? `${JSON.stringify(facts)}\n` : lines(facts));
    });
}

/** What the container says, before anything is decoded. Field names are those of `--json`. */
export interface ContainerFacts {
  file: string;
  frames: number;
  /** Bytes of the frames as captured and as they were on the wire. */
  captured_bytes: number;
  wire_bytes: number;
  /** Frames of which the capture kept only the beginning. */
  cut_frames: number;
  /** Epoch microseconds, null where there is no frame. */
  first_us: number | null;
  last_us: number | null;
  /** Frames by LINKTYPE_ number. */
  link_types: Record<string, number>;
  truncated: boolean;
  frames_lost_at_capture: number;
  notes: string[];
}

export async function inspectContainer(file: string): Promise<ContainerFacts> {
  const { createFileSource } = await import('../sources/index.ts');
  const source = createFileSource(file);
  let capturedBytes = 0;
  let wireBytes = 0;
  let cutFrames = 0;
  let first = Infinity;
  let last = -Infinity;
  const linkTypes = new Map<number, number>();
  for await (const batch of source.batches()) {
    for (let i = 0; i < batch.count; i++) {
      const captured = batch.capLen[i]!;
      const wire = batch.wireLen[i]!;
      const linkType = batch.linkType[i]!;
      capturedBytes += captured;
      wireBytes += wire;
      if (wire > captured) cutFrames++;
      first = Math.min(first, batch.tsUs[i]!);
      last = Math.max(last, batch.tsUs[i]!);
      linkTypes.set(linkType, (linkTypes.get(linkType) ?? 0) + 1);
    }
  }
  const report = source.report();
  return {
    file,
    frames: report.framesRead,
    captured_bytes: capturedBytes,
    wire_bytes: wireBytes,
    cut_frames: cutFrames,
    first_us: first === Infinity ? null : first,
    last_us: last === -Infinity ? null : last,
    link_types: Object.fromEntries(linkTypes),
    truncated: report.truncated,
    frames_lost_at_capture: report.framesLostAtCapture,
    notes: report.notes,
  };
}

function lines(facts: ContainerFacts): string {
  const time = (us: number): string => `${new Date(us / 1000).toISOString().slice(0, 19)}Z`;
  const rows: [string, string][] = [
    ['file', tame(facts.file)],
    ['frames', String(facts.frames)],
  ];
  if (facts.first_us !== null && facts.last_us !== null) {
    const seconds = (facts.last_us - facts.first_us) / 1e6;
    rows.push(['time', `${time(facts.first_us)} to ${time(facts.last_us)} (${seconds.toFixed(3)} s)`]);
  }
  rows.push(['bytes', `${facts.captured_bytes} captured, ${facts.wire_bytes} on the wire`]);
  if (facts.cut_frames > 0) rows.push(['cut', `${facts.cut_frames} frames hold only their beginning`]);
  const types = Object.entries(facts.link_types).map(([type, frames]) => `${type} (${frames} frames)`);
  rows.push(['link types', types.join(', ') || 'none']);
  if (facts.frames_lost_at_capture > 0)
    rows.push(['lost', `${facts.frames_lost_at_capture} frames, says the capturing side`]);
  if (facts.truncated) rows.push(['truncated', 'the file ends inside a record']);
  for (const note of facts.notes) rows.push(['note', tame(note)]);
  return rows.map(([name, value]) => `${name.padEnd(11)} ${value}\n`).join('');
}
