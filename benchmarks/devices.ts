/**
 * Memory of a device whose baselines are full, and the time to score one window of many devices with all detectors.
 *
 *   node --expose-gc benchmarks/devices.ts [--devices 100000] [--members 150]
 *
 * Each device has full samples of windows on both time scales, their order statistics, counters of the running windows
 * and `members` things in its first-seen sets, of which a third is common to the site. Behaviour is made up from a
 * seed; it says nothing about detection.
 */
import { parseArgs } from 'node:util';
import { Baselines } from '../src/baseline/baselines.ts';
import { NoveltySets } from '../src/baseline/novelty.ts';
import { loadConfig } from '../src/config/index.ts';
import { DetectEngine } from '../src/detect/engine.ts';
import { loadDetectors } from '../src/detect/load.ts';
import { F, FEATURE_COUNT } from '../src/features/catalogue.ts';
import { WindowCounters } from '../src/features/windows.ts';
import { loadClasses } from '../src/identity/classes.ts';
import { Device } from '../src/identity/device.ts';
import { hashNumbers, hashText } from '../src/lib/hash.ts';

const { values } = parseArgs({
  options: { devices: { type: 'string', default: '100000' }, members: { type: 'string', default: '150' } },
});
const DEVICES = Number(values.devices);
const MEMBERS = Number(values.members);
const SETS = ['new-peer:peer', 'new-peer:client', 'new-service:uses', 'scan:target', 'flood:source', 'beaconing:peer'];
const TYPES = ['infusion-pump', 'patient-monitor', 'pacs', 'workstation', 'unknown'];
const START_US = 1_700_000_000e6;
const KIB = 1024;

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const { config } = loadConfig();
const { loaded } = await loadDetectors(config.detection);
const classes = loadClasses();
const unknown = classes.get('unknown')!;
const devices: Device[] = [];
let scores = 0;
let findings = 0;
let nowUs = START_US;

const empty = memory();
const novelty = new NoveltySets(config.hotPath.baseline.max_set_size, (slot) => devices[slot]!.type);
const baselines = new Baselines(config.hotPath.baseline, { seed: 1, novelty });
const short = new WindowCounters(DEVICES);
const long = new WindowCounters(DEVICES);
const engine = new DetectEngine({
  detectors: loaded,
  novelty,
  models: baselines.models,
  nowUs: () => nowUs,
  devices: () => devices,
  deviceAt: (slot) => devices[slot],
  deviceBeside: () => undefined,
  classOf: (type) => classes.get(type) ?? unknown,
  blind: () => false,
  onFinding: () => findings++,
  onScore: () => scores++,
  onFailure: (id, reason) => {
    throw new Error(`${id}: ${reason}`);
  },
});

function behave(slot: number): void {
  const packets = 5 + Math.floor(random() * 40);
  for (let i = 0; i < 3; i++) short.sent(slot, packets * 120, packets * 80, false, false);
  short.received(slot, packets * 90, packets * 60);
  short.add(slot, F.messages_out, packets >> 1);
  short.began(slot, slot % 17, slot % 23);
}

const sets = SETS.map((name) => novelty.setId(name));
for (let slot = 0; slot < DEVICES; slot++) {
  const mac = `02:00:${(slot + 2 ** 32)
    .toString(16)
    .slice(-8)
    .replace(/(..)(?=.)/g, '$1:')}`;
  const device = new Device(slot, `1/${mac}`, hashText(mac), 0x020000, slot, mac, 1, '1', START_US);
  device.type = TYPES[slot % TYPES.length]!;
  device.useAddress(`10.${slot >> 16}.${(slot >> 8) & 255}.${slot & 255}`, false, true, START_US);
  devices.push(device);
  for (let i = 0; i < MEMBERS; i++)
    novelty.note(device, sets[i % sets.length]!, hashNumbers(i % 3 === 0 ? i : slot * 4096 + i), true);
  for (const seconds of [10, 60]) {
    const { capacity } = baselines.windows(slot, seconds);
    for (let w = 0; w < capacity; w++) {
      behave(slot);
      short.finish(slot);
      baselines.took(device, START_US, seconds, short.values, slot * FEATURE_COUNT);
      short.clear(slot);
    }
    baselines.windows(slot, seconds).standing(0, 1);
  }
  device.learning = false;
  engine.learned(device);
}
short.clearAll();
const full = memory();
baselines.trainAll(devices, nowUs);

const times: number[] = [];
for (let round = 0; round < 7; round++) {
  for (let slot = 0; slot < DEVICES; slot++) {
    devices[slot]!.lastUs = nowUs;
    behave(slot);
  }
  nowUs += 10e6;
  const began = process.cpuUsage();
  for (let a = 0; a < short.activeCount; a++) {
    const slot = short.active[a]!;
    const device = devices[slot]!;
    short.finish(slot);
    const at = slot * FEATURE_COUNT;
    const model = engine.window(device, nowUs - 10e6, 10, short.values, at, baselines.windows(slot, 10));
    baselines.took(device, nowUs - 10e6, 10, short.values, at, model?.pValue);
    short.foldInto(long, slot);
  }
  short.clearAll();
  const cpu = process.cpuUsage(began);
  times.push((cpu.user + cpu.system) / 1e6);
  const secondBegan = process.cpuUsage();
  for (const device of devices) engine.heard(device);
  engine.second(nowUs);
  const second = process.cpuUsage(secondBegan);
  if (round === 6)
    process.stdout.write(`a second in which all are heard: ${((second.user + second.system) / 1e3).toFixed(1)} ms\n`);
}
times.sort((a, b) => a - b);
process.stdout.write(
  `${DEVICES} devices, ${loaded.length} detectors, ${MEMBERS} members of sets each, Node ${process.versions.node}\n` +
    `memory of a device: ${((full - empty) / DEVICES / KIB).toFixed(1)} KiB, all: ${((full - empty) / KIB ** 3).toFixed(2)} GiB\n` +
    `first-seen sets: ${(novelty.bytes / novelty.count).toFixed(1)} bytes a member\n` +
    `a window of all devices: ${times[3]!.toFixed(2)} s CPU (best ${times[0]!.toFixed(2)}), ` +
    `${scores} scores, ${findings} findings\n`,
);
