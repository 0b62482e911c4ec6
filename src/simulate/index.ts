/**
 * A seeded simulator of a hospital's network: frames of hundreds to thousands of devices in event time, with
 * legitimate changes and attacks and the truth about both. It knows nothing of the detectors, and they must not be
 * tuned on it. See docs/how-to/simulate.md.
 */
import type { FrameBatch, FrameSource, SourceReport } from '../kernel/frames.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { hashNumbers } from '../lib/hash.ts';
import { createPrng } from '../lib/prng.ts';
import { ATTACKS } from './attacks.ts';
import { startDevice } from './behaviour.ts';
import { CHANGES } from './changes.ts';
import { labelled } from './events.ts';
import type { Plan, TruthEvent } from './events.ts';
import { Site } from './site.ts';

export type { TruthEvent } from './events.ts';

/** Names of the groups of attacks. */
export const ATTACK_GROUPS: readonly string[] = Object.keys(ATTACKS);

export interface SimulationOptions {
  /** 30 to 100,000. */
  readonly devices: number;
  readonly hours: number;
  readonly seed: number;
  /** Epoch seconds of the first moment. */
  readonly startS: number;
  /** Groups of attacks, see {@link ATTACK_GROUPS}; each of their kinds happens once. */
  readonly attacks: readonly string[];
  /** Legitimate changes, each kind once a day. */
  readonly changes: boolean;
  /** Hours from the start without changes and attacks: what a baseline may be learned from. */
  readonly quietHours: number;
  /** Periods below a minute are this many times longer than in life; 1 is life. */
  readonly thin: number;
  /** Frames of a batch. */
  readonly batchFrames?: number;
}

export interface TruthDevice {
  readonly id: string;
  readonly mac: string;
  readonly ip: string;
  readonly hostname: string;
  readonly type: string;
  readonly vendor: string;
  readonly model: string;
  readonly software: string | null;
  readonly addressing: 'static' | 'dhcp';
  readonly dhcp: { vendor_class: string | null; parameter_request_list: readonly number[]; client: string } | null;
  readonly protocols: readonly string[];
  readonly ip_ttl: number;
  readonly vlan: number;
  readonly frames_sent: number;
  readonly present_from?: number;
  readonly ip_history?: { readonly ip: string; readonly vlan: number; readonly from: number }[];
}

/** What was simulated, in the form of the clinical captures' truth files. Times are epoch seconds. */
export interface Truth {
  readonly schema: 'clinical-capture-truth/1';
  readonly capture: string;
  readonly kind: 'benign-test' | 'attack';
  readonly site: string;
  readonly time_unit: string;
  readonly start: number;
  readonly end: number;
  readonly frames: number;
  readonly bytes: number;
  readonly link: string;
  /** Events happen from here on. */
  readonly quiet_until: number;
  readonly options: Omit<SimulationOptions, 'batchFrames'>;
  readonly outside_hosts: { readonly name: string; readonly ip: string }[];
  readonly devices: TruthDevice[];
  readonly events: TruthEvent[];
}

/** The simulated site as a source of frames: every call of `batches` begins anew and gives the same frames. */
export interface Simulation extends FrameSource {
  /** What happened up to the last frame that was given. */
  truth(): Truth;
  /** Most frames held back to put them in order: bounds the memory. */
  heldFrames(): number;
}

function refuse(message: string, remedy: string): never {
  throw new WardwatchError('WW_USAGE', message, remedy);
}

function check(options: SimulationOptions): void {
  const { devices, hours, thin, quietHours } = options;
  if (!Number.isInteger(devices) || devices < 30 || devices > 100_000)
    refuse(`a site of ${devices} devices cannot be simulated`, 'give a number from 30 to 100000');
  if (!(hours > 0) || hours > 24 * 366)
    refuse(`${hours} hours cannot be simulated`, 'give more than 0 and at most a year');
  if (!(thin >= 1) || thin > 1000) refuse(`traffic cannot be thinned by ${thin}`, 'give a factor from 1 to 1000');
  if (!(quietHours >= 0) || quietHours > hours)
    refuse('the quiet hours are longer than the whole', 'give less of them, or more hours');
  for (const name of options.attacks)
    if (!ATTACK_GROUPS.includes(name))
      refuse(`there is no attack named ${name}`, `choose from ${ATTACK_GROUPS.join(', ')}`);
}

/** @throws WardwatchError where an option is out of bounds */
export function createSimulation(options: SimulationOptions): Simulation {
  check(options);
  const name = `simulated site, seed ${options.seed}`;
  let site: Site | undefined;
  let events: TruthEvent[] = [];
  let frames = 0;
  let bytes = 0;
  let firstUs = 0;
  let lastUs = 0;
  /** By hardware address, as a number. */
  const sent = new Map<number, number>();

  /** Spreads plans evenly over the time that is not quiet, each somewhere in its share of it. */
  function schedule(on: Site, plans: readonly Plan[], label: 'attack' | 'benign'): void {
    const random = createPrng(hashNumbers(options.seed, label === 'attack' ? 0xa77ac : 0xc4a26e));
    const from = on.startUs + options.quietHours * 3600e6;
    const each = ((options.hours - options.quietHours) * 3600e6) / plans.length;
    const order = new Int32Array(plans.length);
    random.sample(plans.length, order);
    for (let i = 0; i < plans.length; i++) {
      const at = Math.floor(from + each * (i + 0.05 + 0.5 * random.double()));
      const own = createPrng(random.uint32());
      on.timeline.start(labelled(on, plans[order[i]!]!, label, own, events), at);
    }
  }

  async function* batches(signal?: AbortSignal): AsyncGenerator<FrameBatch> {
    const startUs = Math.round(options.startS * 1e6);
    events = [];
    frames = 0;
    bytes = 0;
    sent.clear();
    const on = new Site({ seed: options.seed, devices: options.devices, startUs, thin: options.thin });
    site = on;
    const untilUs = startUs + options.hours * 3600e6;
    for (const device of [...on.devices])
      if (device !== on.blocks[device.block.number]?.servers.pacsSpare) startDevice(on, device);
    if (options.attacks.length > 0)
      schedule(
        on,
        options.attacks.flatMap((group) => ATTACKS[group] ?? []),
        'attack',
      );
    if (options.changes) {
      const days = Math.max(1, Math.floor((options.hours - options.quietHours) / 24));
      // An archive moves once.
      const plans = Array.from({ length: days }, (_, day) =>
        CHANGES.filter((c) => day === 0 || c.kind !== 'archive_move'),
      );
      schedule(on, plans.flat(), 'benign');
    }
    for (const batch of on.timeline.run(untilUs, options.batchFrames ?? 4096, name)) {
      if (signal?.aborted === true) return;
      if (frames === 0) firstUs = batch.tsUs[0]!;
      frames += batch.count;
      for (let i = 0; i < batch.count; i++) {
        bytes += batch.capLen[i]!;
        const from = batch.offset[i]! + 6;
        const key = batch.view.getUint16(from) * 4_294_967_296 + batch.view.getUint32(from + 2);
        sent.set(key, (sent.get(key) ?? 0) + 1);
      }
      lastUs = batch.tsUs[batch.count - 1]!;
      yield batch;
    }
  }

  return {
    name,
    batches,
    report: (): SourceReport => ({
      framesRead: frames,
      bytesRead: bytes,
      bytesTotal: undefined,
      truncated: false,
      framesLostAtCapture: 0,
      notes: [],
    }),
    heldFrames: () => site?.timeline.held ?? 0,
    truth(): Truth {
      const on = site;
      const { batchFrames: _, ...asked } = options;
      return {
        schema: 'clinical-capture-truth/1',
        capture: name,
        kind: options.attacks.length > 0 ? 'attack' : 'benign-test',
        site: 'simulated',
        time_unit: 'epoch seconds, same clock as the frames of the capture',
        start: firstUs / 1e6,
        end: lastUs / 1e6,
        frames,
        bytes,
        link: 'Ethernet, 802.1Q; routed packets are seen in both networks',
        quiet_until: options.startS + options.quietHours * 3600,
        options: asked,
        outside_hosts: [...(on?.outside.values() ?? [])].map((h) => ({ name: h.name, ip: h.ip })),
        devices:
          on === undefined
            ? []
            : on.devices.map((d) => truthOf(d, sent.get(parseInt(d.mac.replaceAll(':', ''), 16)) ?? 0)),
        events: [...events].sort((a, b) => a.start - b.start),
      };
    },
  };
}

function truthOf(device: Site['devices'][number], framesSent: number): TruthDevice {
  const { make } = device;
  return {
    id: device.id,
    mac: device.mac,
    ip: device.ip,
    hostname: device.name,
    type: make.type,
    vendor: make.vendor,
    model: make.model,
    software: make.software ?? null,
    addressing: make.dhcp === undefined ? 'static' : 'dhcp',
    dhcp:
      make.dhcp === undefined
        ? null
        : {
            vendor_class: make.dhcp.vendorClass ?? null,
            parameter_request_list: make.dhcp.parameters,
            client: 'simulated',
          },
    protocols: make.protocols,
    ip_ttl: make.ttl,
    vlan: device.vlan,
    frames_sent: framesSent,
    ...(device.presentFrom === undefined ? {} : { present_from: device.presentFrom }),
    ...(device.addresses.length < 2
      ? {}
      : { ip_history: device.addresses.map((a) => ({ ip: a.ip, vlan: a.vlan, from: a.fromS })) }),
  };
}
