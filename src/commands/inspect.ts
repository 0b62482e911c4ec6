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
        ['wardwatch inspect ward-3.pcapng', 'times, loss, protocols, devices, oddities'],
        ['wardwatch inspect ward-3.pcapng --json', 'the same for another program'],
      ),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions & { json?: boolean }>();
      const facts = await inspectContainer(file);
      const contents = await inspectContents(file);
      process.stdout.write(
        json === true ? `${JSON.stringify({ ...facts, ...contents })}\n` : lines(facts) + contentLines(contents),
      );
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

/** What the frames say, after decoding. Field names are those of `--json`. */
export interface ContentFacts {
  /** Flows by application protocol, `unknown` where none was recognised. */
  services: Record<string, number>;
  flows: number;
  /** Flows by VLAN (outer id), `untagged` for the rest. */
  vlans: Record<string, number>;
  devices: { device: string; ip: string; hostname: string; type: string; vendor: string }[];
  /** Malformed or odd packets and messages, by event. */
  events: Record<string, number>;
  undecodable: Record<string, number>;
}

export async function inspectContents(file: string): Promise<ContentFacts> {
  const [{ createFileSource }, { buildHotPath }, { loadConfig }] = await Promise.all([
    import('../sources/index.ts'),
    import('../app/build.ts'),
    import('../config/index.ts'),
  ]);
  const services: Record<string, number> = {};
  const vlans: Record<string, number> = {};
  const devices: ContentFacts['devices'] = [];
  const { config } = loadConfig({ env: {} });
  const { hotPath } = await buildHotPath({
    config,
    seed: 1,
    stage: 'all',
    productVersion: '',
    output: {
      flow: (row) => {
        const service = row.service ?? 'unknown';
        services[service] = (services[service] ?? 0) + 1;
        const vlan = row.vlan === undefined ? 'untagged' : String(row.vlan);
        vlans[vlan] = (vlans[vlan] ?? 0) + 1;
      },
      device: (row) =>
        devices.push({
          device: row.device,
          ip: row.ip,
          hostname: row.hostname,
          type: row.type,
          vendor: row.vendor_name,
        }),
    },
  });
  for await (const batch of createFileSource(file).batches()) hotPath.process(batch);
  hotPath.finish();
  const counters = hotPath.counters();
  return {
    services,
    flows: counters.flows,
    vlans,
    devices,
    events: { ...counters.decodeEvents, ...counters.appEvents },
    undecodable: counters.framesUndecodable,
  };
}

/** Longer lists are for --json. */
const MOST_SHOWN = 20;

function contentLines(contents: ContentFacts): string {
  const counted = (counts: Record<string, number>): string => {
    const sorted = Object.entries(counts).sort((a, b) => b[1] - a[1]);
    const shown = sorted.slice(0, MOST_SHOWN).map(([name, n]) => `${name} ${n}`);
    if (sorted.length > MOST_SHOWN) shown.push(`and ${sorted.length - MOST_SHOWN} more`);
    return shown.join(', ') || 'none';
  };
  const rows: [string, string][] = [
    ['flows', String(contents.flows)],
    ['services', counted(contents.services)],
    ['vlans', counted(contents.vlans)],
  ];
  if (Object.keys(contents.undecodable).length > 0) rows.push(['undecodable', counted(contents.undecodable)]);
  if (Object.keys(contents.events).length > 0) rows.push(['odd', counted(contents.events)]);
  rows.push(['devices', String(contents.devices.length)]);
  for (const d of contents.devices.slice(0, MOST_SHOWN))
    rows.push(['', tame([d.device, d.ip, d.hostname, d.type, d.vendor].filter((x) => x !== '').join('  '))]);
  if (contents.devices.length > MOST_SHOWN)
    rows.push(['', `and ${contents.devices.length - MOST_SHOWN} more (--json)`]);
  return rows.map(([name, value]) => `${name.padEnd(11)} ${value}\n`).join('');
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
