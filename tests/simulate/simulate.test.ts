import { createHash } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildHotPath } from '../../src/app/build.ts';
import { simulateCommand } from '../../src/commands/simulate-action.ts';
import { loadConfig } from '../../src/config/index.ts';
import { createFrameBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';
import { ATTACK_GROUPS, createSimulation } from '../../src/simulate/index.ts';
import type { SimulationOptions, Truth } from '../../src/simulate/index.ts';
import { createFileSource, encodePcapng } from '../../src/sources/index.ts';

/** A Monday morning, so that people are at work. */
const WORKING: SimulationOptions = {
  devices: 60,
  hours: 0.3,
  seed: 7,
  startS: Date.UTC(2026, 2, 2, 9) / 1000,
  attacks: ATTACK_GROUPS,
  changes: true,
  quietHours: 0.05,
  thin: 10,
};

const folder = mkdtempSync(join(tmpdir(), 'wardwatch-simulate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function eachFrame(
  options: SimulationOptions,
  see: (bytes: Uint8Array, tsUs: number) => void,
): Promise<{ truth: Truth; held: number }> {
  const simulation = createSimulation(options);
  for await (const batch of simulation.batches()) {
    for (let i = 0; i < batch.count; i++) {
      const at = batch.offset[i]!;
      see(batch.bytes.subarray(at, at + batch.capLen[i]!), batch.tsUs[i]!);
    }
  }
  return { truth: simulation.truth(), held: simulation.heldFrames() };
}

/** Hash of all frames and their times. */
async function digest(options: SimulationOptions): Promise<string> {
  const hash = createHash('sha256');
  await eachFrame(options, (bytes, tsUs) => {
    hash.update(`${tsUs}`);
    hash.update(bytes);
  });
  return hash.digest('hex');
}

/** Sum of 16-bit words with carries folded in; 0xffff where a checksum is part of them and right (RFC 1071). */
function ones(bytes: Uint8Array, start: number): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

const macText = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(':');

describe('the frames of a simulated site', () => {
  const bad = { ip: 0, transport: 0, length: 0, order: 0 };
  const sent = new Map<string, number>();
  let count = 0;
  let truth: Truth;
  let held = 0;

  beforeAll(async () => {
    let last = 0;
    const seen = await eachFrame(WORKING, (frame, tsUs) => {
      count++;
      if (tsUs < last || !Number.isInteger(tsUs)) bad.order++;
      last = tsUs;
      const from = macText(frame.subarray(6, 12));
      sent.set(from, (sent.get(from) ?? 0) + 1);
      if (frame[16] !== 8 || frame[17] !== 0) return;
      const total = (frame[20]! << 8) | frame[21]!;
      if (total > frame.length - 18) {
        bad.length++;
        return;
      }
      if (ones(frame.subarray(18, 38), 0) !== 0xffff) bad.ip++;
      const segment = frame.subarray(38, 18 + total);
      if (ones(segment, ones(frame.subarray(30, 38), frame[27]! + segment.length)) !== 0xffff) bad.transport++;
    });
    truth = seen.truth;
    held = seen.held;
  }, 120_000);

  it('are in order of time, with right lengths and checksums', () => {
    expect(count).toBeGreaterThan(20_000);
    expect(bad).toEqual({ ip: 0, transport: 0, length: 0, order: 0 });
  });

  it('are held back only for moments', () => {
    expect(held).toBeLessThan(2000);
  });

  it('are counted in the truth, device by device', () => {
    expect(truth.frames).toBe(count);
    for (const device of truth.devices) expect(device.frames_sent, device.id).toBe(sent.get(device.mac) ?? 0);
    expect(new Set(truth.devices.map((d) => d.mac)).size).toBe(truth.devices.length);
    expect(new Set(truth.devices.map((d) => d.ip)).size).toBe(truth.devices.length);
  });

  it('hold every attack and change that was asked for, within its times', () => {
    const attacks = truth.events.filter((e) => e.label === 'attack').map((e) => e.kind);
    expect(attacks).toHaveLength(19);
    expect(new Set(attacks).size).toBe(19);
    expect(truth.events.filter((e) => e.label === 'benign')).toHaveLength(9);
    for (const event of truth.events) {
      expect(event.start).toBeGreaterThanOrEqual(truth.quiet_until);
      expect(event.end).toBeGreaterThanOrEqual(event.start);
      if (event.label === 'benign' || event.kind === 'device_silent') continue;
      expect(event.technique, event.kind).not.toBeNull();
      expect(event.attacker, event.kind).not.toBeNull();
      expect(event.frame_facts.frames_in_window, event.kind).toBeGreaterThan(0);
      expect(event.frame_facts.first!).toBeGreaterThanOrEqual(event.start);
      expect(event.frame_facts.last!).toBeLessThanOrEqual(event.end);
    }
  });
});

describe('a simulation', () => {
  const short: SimulationOptions = {
    ...WORKING,
    devices: 40,
    hours: 0.1,
    quietHours: 0.01,
    attacks: ['scan', 'hl7-replay', 'rogue-dhcp'],
  };

  it('gives the same bytes for the same seed, in one process and again', async () => {
    const first = await digest(short);
    expect(await digest(short)).toBe(first);
    expect(await digest({ ...short, batchFrames: 17 })).toBe(first);
    expect(await digest({ ...short, seed: 8 })).not.toBe(first);
  });

  it('begins anew with every call of batches', async () => {
    const simulation = createSimulation(short);
    const count = async (): Promise<number> => {
      let n = 0;
      for await (const batch of simulation.batches()) n += batch.count;
      return n;
    };
    expect(await count()).toBe(await count());
  });

  it('leaves a quiet time alone', async () => {
    const { truth } = await eachFrame({ ...short, attacks: [], changes: false }, () => undefined);
    expect(truth.events).toEqual([]);
    expect(truth.devices).toHaveLength(40);
  });

  it.each([30, 200, 5000])('has as many devices as asked for: %i', async (devices) => {
    const simulation = createSimulation({
      ...short,
      devices,
      hours: 0.001,
      quietHours: 0,
      attacks: [],
      changes: false,
    });
    let frames = 0;
    for await (const batch of simulation.batches()) frames += batch.count;
    expect(frames).toBe(simulation.truth().frames);
    const { length } = simulation.truth().devices;
    expect(Math.abs(length - devices)).toBeLessThanOrEqual(devices < 100 ? 12 : devices * 0.01);
  });

  it('says what it cannot simulate', () => {
    const wrong: Partial<SimulationOptions>[] = [
      { devices: 3 },
      { devices: 1e6 },
      { hours: 0 },
      { hours: Number.NaN },
      { quietHours: 2 },
      { thin: 0 },
      { attacks: ['nonsense'] },
    ];
    for (const change of wrong) expect(() => createSimulation({ ...short, ...change })).toThrow(/./);
  });
});

describe('what our own decoder sees', () => {
  it('are the protocols that the devices speak, and nothing undecodable', async () => {
    const protocols = new Set<string>();
    const types = new Map<string, string>();
    const { hotPath } = await buildHotPath({
      config: loadConfig({ env: {} }).config,
      seed: 1,
      stage: 'all',
      productVersion: '0',
      output: {
        observation: (row) => protocols.add(row.protocol),
        device: (row) => types.set(`${row.vlan}/${row.mac}`, row.type),
      },
    });
    const simulation = createSimulation({ ...WORKING, devices: 120, attacks: ['botnet', 'ransomware'] });
    for await (const batch of simulation.batches()) hotPath.process(batch);
    hotPath.finish();
    const counters = hotPath.counters();
    expect(counters.framesUndecodable).toEqual({});
    expect(counters.decodeEvents).toEqual({});
    expect(counters.timeWentBack).toBe(0);
    for (const wanted of ['astm', 'bacnet', 'dhcp', 'dicom', 'dns', 'hl7', 'http', 'intellivue', 'lldp', 'modbus'])
      expect(protocols).toContain(wanted);
    for (const wanted of ['ntlm', 'ntp', 'rtsp', 'sip', 'smb', 'snmp', 'syslog', 'telnet', 'tls'])
      expect(protocols).toContain(wanted);
  });
});

/** Adds the frames of a batch to the captures of their networks: other programs take a routed packet's two for one. */
function byNetwork(batch: FrameBatch, captures: Map<number, Uint8Array[]>): void {
  const parts = new Map<number, FrameBatch>();
  for (let i = 0; i < batch.count; i++) {
    const at = batch.offset[i]!;
    const vlan = batch.view.getUint16(at + 14);
    let out = parts.get(vlan);
    if (out === undefined) parts.set(vlan, (out = createFrameBatch(batch.count, batch.bytes)));
    const k = out.count++;
    out.offset[k] = at;
    out.capLen[k] = batch.capLen[i]!;
    out.wireLen[k] = batch.wireLen[i]!;
    out.tsUs[k] = batch.tsUs[i]!;
    out.linkType[k] = batch.linkType[i]!;
  }
  for (const [vlan, part] of parts) {
    const sections = captures.get(vlan) ?? [];
    captures.set(vlan, sections);
    sections.push(encodePcapng(part));
  }
}

const tshark = spawnSync('tshark', ['--version']).status === 0;
if (!tshark) console.warn('SKIPPED, no tshark on this machine: what Wireshark makes of simulated frames');

describe.skipIf(!tshark)('what Wireshark makes of it', () => {
  /** Without what takes many frames for little variety. */
  const small: SimulationOptions = {
    ...WORKING,
    hours: 0.2,
    quietHours: 0.02,
    attacks: ATTACK_GROUPS.filter((a) => a !== 'flood' && a !== 'exfiltration'),
  };
  const fields = (file: string, ...args: string[]): string[] =>
    execFileSync('tshark', ['-n', '-r', file, ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .split('\n')
      .filter((line) => line !== '');

  it('no malformed frame and no wrong checksum in any network', async () => {
    const captures = new Map<number, Uint8Array[]>();
    for await (const batch of createSimulation(small).batches()) byNetwork(batch, captures);
    expect(captures.size).toBeGreaterThan(4);
    for (const [vlan, sections] of captures) {
      const file = join(folder, `${vlan}.pcapng`);
      writeFileSync(file, Buffer.concat(sections));
      const checked = ['ip', 'tcp', 'udp'].flatMap((p) => ['-o', `${p}.check_checksum:TRUE`]);
      const wrong = ['ip', 'tcp', 'udp'].map((p) => `${p}.checksum.status == 0`).join(' || ');
      const found = fields(
        file,
        ...checked,
        '-Y',
        `_ws.malformed || ${wrong}`,
        '-T',
        'fields',
        '-e',
        'frame.protocols',
      );
      expect(found, `network ${vlan}`).toEqual([]);
    }
  }, 120_000);

  it('the filters of the truth select the frames of the attacks', async () => {
    const file = join(folder, 'all.pcapng.gz');
    const truthFile = join(folder, 'truth.json');
    await simulateCommand({
      ...small,
      start: small.startS,
      attacks: [...small.attacks],
      out: file,
      truth: truthFile,
    });
    const truth = JSON.parse(readFileSync(truthFile, 'utf8')) as Truth;
    let read = 0;
    for await (const batch of createFileSource(file).batches()) read += batch.count;
    expect(read).toBe(truth.frames);
    for (const event of truth.events.filter((e) => e.label === 'attack' && e.kind !== 'device_silent')) {
      const times = fields(file, '-Y', event.frame_facts.display_filter, '-T', 'fields', '-e', 'frame.time_epoch').map(
        Number,
      );
      const within = times.filter((t) => t >= event.start - 1e-3 && t <= event.end + 1e-3);
      expect(within.length, `${event.kind}: ${event.frame_facts.display_filter}`).toBeGreaterThan(0);
      expect(within.length, event.kind).toBeLessThanOrEqual(event.frame_facts.frames_in_window);
    }
  }, 120_000);
});
