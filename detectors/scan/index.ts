import {
  MEDIUM,
  defineDetector,
  endpointAt,
  endpointOf,
  keepEndpoint,
  keyOf,
  nameOf,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, FlowView } from '../../src/detect/sdk.ts';

/** One (address, port, protocol) that the source tried and had not been learned to try. */
interface Probe {
  readonly tsUs: number;
  readonly address: number;
  readonly port: number;
  readonly proto: string;
  readonly target: Endpoint;
  /** Time within which an answer may be on its way. */
  readonly graceUs: number;
  outcome: 'pending' | 'answered' | 'failed';
}

/** A source of flows: a monitored device, or an address behind a gateway. */
interface Source {
  readonly device: DeviceView | undefined;
  readonly self: Endpoint;
  readonly probes: Map<number, Probe>;
  /** Most unsuccessful new targets in a minute while the device was learning. */
  learned: number;
  /** Tell again when so many have been found. */
  nextTell: number;
  lastTellUs: number;
  changedUs: number;
  /** The latest ARP requests for neighbouring addresses, one after the other. */
  readonly row: Probe[];
  /** Last address of the row, as a number. */
  rowAt: number;
}

interface Count {
  unsuccessful: number;
  /** The same, weighed. */
  weight: number;
  all: number;
  addresses: Set<number>;
  newAddresses: Set<number>;
  ports: Set<number>;
  first: Probe | undefined;
  shown: Probe[];
  arp: number;
  /** Tried so lately that the answer may be on its way. */
  fresh: Probe[];
}

/** When the way to the internet is down, everything out there fails: it takes more of those. */
const PUBLIC_WEIGHT = 1 / 3;
const MINUTE_US = 60e6;
const MAX_PROBES = 512;
const MAX_REMOTE_SOURCES = 1024;
const MAX_ARP_PENDING = 8192;
/** Answers on the same segment come within a few milliseconds, from elsewhere within a second. */
const LOCAL_GRACE_US = 30_000;
const REMOTE_GRACE_US = 1_000_000;
/** Next to each other in a row: scanners leave out their own address, and the mirror loses a frame. */
const NEIGHBOUR = 3;
const ROW_GAP_US = 10e6;
const MAX_ROW = 64;
/** Ephemeral UDP ports: media streams and answers whose question was not seen. */
const EPHEMERAL = 32_768;

export default defineDetector({
  id: 'scan',
  version: 2,
  status: 'stable',
  title: 'Network scan',
  summary: 'A host tries many addresses or ports that it never used, and most do not answer.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T0846', name: 'Remote System Discovery', matrix: 'ics' },
    { id: 'T1046', name: 'Network Service Discovery', matrix: 'enterprise' },
  ],
  params: {
    targets_60s: {
      default: 10,
      min: 4,
      max: 1000,
      doc: 'Unsuccessful new targets (address and port) in 60 seconds of a device whose behaviour is learned.',
    },
    targets_600s: { default: 20, min: 4, max: 1000, doc: 'The same in 600 seconds: slower scans.' },
    targets_3600s: { default: 40, min: 4, max: 512, doc: 'The same in an hour: slow scans.' },
    sweep_addresses: {
      default: 6,
      min: 4,
      max: 64,
      doc: 'Unanswered ARP requests for neighbouring new addresses, one after the other: a sweep that has begun.',
    },
    unlearned_factor: {
      default: 2,
      min: 1,
      max: 100,
      doc: 'The limits are multiplied by this while the source has not been learned: nothing is known to be usual then.',
    },
    answered_targets_60s: {
      default: 20,
      min: 5,
      max: 1000,
      doc: 'New addresses on the monitored segments in 60 seconds, answered or not, of a learned device that serves nobody.',
    },
    failed_share: { default: 0.5, min: 0.1, max: 1, doc: 'Least share of the new targets that must be unsuccessful.' },
  },
  create(ctx) {
    const { targets_60s, targets_600s, targets_3600s, sweep_addresses, unlearned_factor } = ctx.params;
    const { answered_targets_60s, failed_share } = ctx.params;
    const ofDevice = ctx.perDevice<{ source: Source | undefined }>(() => ({ source: undefined }));
    const remote = ctx.site(() => new Map<number, Source>());
    const bySlot = ctx.site(() => new Map<number, Probe>());
    /** By address asked for: who still waits for its answer. */
    const arpPending = ctx.site(() => new Map<number, Probe[]>());
    const changed = ctx.site(() => new Set<Source>());
    /** Whose row is long enough, and waits for answers. */
    const sweeping = ctx.site(() => new Set<Source>());

    function create(device: DeviceView | undefined, self: Endpoint): Source {
      return {
        device,
        self,
        probes: new Map(),
        learned: 0,
        nextTell: 0,
        lastTellUs: 0,
        changedUs: 0,
        row: [],
        rowAt: 0,
      };
    }

    function sourceOf(end: Endpoint): Source | undefined {
      const device = end.device;
      if (device !== undefined && !end.isRemote) {
        if (device.isGateway) return undefined;
        const entry = ofDevice(device);
        entry.source ??= create(device, endpointOf(device));
        return entry.source;
      }
      if (!end.isRemote || end.isMulticast) return undefined;
      let source = remote.get(end.key);
      if (source === undefined) {
        if (remote.size >= MAX_REMOTE_SOURCES) {
          const oldest = remote.keys().next();
          if (!oldest.done) remote.delete(oldest.value);
        }
        source = create(undefined, keepEndpoint(end));
        remote.set(end.key, source);
      }
      return source;
    }

    function note(source: Source, key: number, probe: Probe): void {
      if (source.probes.size >= MAX_PROBES) {
        const oldest = source.probes.keys().next();
        if (!oldest.done) source.probes.delete(oldest.value);
      }
      source.probes.set(key, probe);
      source.changedUs = probe.tsUs;
      if (source.probes.size >= targets_60s) {
        changed.add(source);
        judge(source, probe.tsUs);
      }
    }

    /** Scanners ask for address after address; devices that look for partners do not. */
    function extendRow(source: Source, probe: Probe, ip: string): void {
      const at = addressNumber(ip);
      const step = Math.abs(at - source.rowAt);
      const last = source.row.at(-1);
      if (last === undefined || step === 0 || step > NEIGHBOUR || probe.tsUs - last.tsUs > ROW_GAP_US)
        source.row.length = 0;
      source.rowAt = at;
      if (source.row.length < MAX_ROW) source.row.push(probe);
      if (source.row.length >= sweep_addresses) sweeping.add(source);
    }

    function judgeRow(source: Source, nowUs: number): void {
      const learning = source.device === undefined || source.device.learning;
      const limit = sweep_addresses * (learning ? unlearned_factor : 1);
      let missed = 0;
      let waiting = 0;
      for (const probe of source.row)
        if (probe.outcome === 'answered') continue;
        else if (nowUs - probe.tsUs < probe.graceUs) waiting++;
        else missed++;
      if (missed >= limit && missed >= failed_share * source.row.length) {
        if (nowUs - source.lastTellUs > 600e6) source.nextTell = 0;
        tell(source, count(source, nowUs, MINUTE_US, limit), 60, limit, nowUs, 'unsuccessful');
      } else if (waiting > 0) return;
      sweeping.delete(source);
    }

    function count(source: Source, nowUs: number, spanUs: number, limit: number): Count {
      const c: Count = {
        unsuccessful: 0,
        weight: 0,
        all: 0,
        addresses: new Set(),
        newAddresses: new Set(),
        ports: new Set(),
        first: undefined,
        shown: [],
        arp: 0,
        fresh: [],
      };
      for (const probe of source.probes.values()) {
        if (probe.tsUs < nowUs - spanUs) continue;
        if (!probe.target.isRemote) c.newAddresses.add(probe.address);
        // A host that answers ARP says nothing yet of what is wanted from it.
        if (probe.proto === 'arp' && probe.outcome === 'answered') continue;
        if (probe.outcome === 'pending' && nowUs - probe.tsUs < probe.graceUs) {
          c.fresh.push(probe);
          continue;
        }
        c.all++;
        if (probe.outcome !== 'answered') miss(c, probe);
      }
      // Where most attempts have already failed, the latest are counted without waiting for their answers.
      if (c.weight * 2 >= limit && c.unsuccessful >= failed_share * c.all)
        for (const probe of c.fresh) {
          c.all++;
          miss(c, probe);
        }
      return c;
    }

    function miss(c: Count, probe: Probe): void {
      c.unsuccessful++;
      c.weight += probe.target.isPublic ? PUBLIC_WEIGHT : 1;
      if (probe.proto === 'arp') c.arp++;
      c.first ??= probe;
      c.addresses.add(probe.address);
      if (probe.proto !== 'arp' && probe.proto !== 'icmp') c.ports.add(probe.port);
      c.shown.push(probe);
    }

    /** Attempts within the span, of all kinds: cheap, and more than can weigh. */
    function attempts(source: Source, nowUs: number, spanUs: number): number {
      let n = 0;
      for (const probe of source.probes.values()) if (probe.tsUs >= nowUs - spanUs) n++;
      return n;
    }

    function judge(source: Source, nowUs: number): void {
      const device = source.device;
      const learning = device === undefined || device.learning;
      const factor = learning ? unlearned_factor : 1;
      if (nowUs - source.lastTellUs > 600e6) source.nextTell = 0;
      const usual = learning ? 0 : source.learned * 1.5;
      let limit = Math.max(targets_60s * factor, usual);
      const minute = count(source, nowUs, MINUTE_US, limit);
      if (learning && minute.weight > source.learned && source.nextTell === 0)
        source.learned = Math.ceil(minute.weight);
      let c = minute;
      let seconds = 60;
      if (minute.weight < limit) {
        seconds = 600;
        limit = Math.max(targets_600s * factor, usual * 2);
        if (attempts(source, nowUs, 600e6) >= limit) c = count(source, nowUs, 600e6, limit);
        if (c.weight < limit) {
          seconds = 3600;
          limit = Math.max(targets_3600s * factor, usual * 4);
          if (source.probes.size >= limit) c = count(source, nowUs, 3600e6, limit);
        }
      }
      const failed = c.weight >= limit && c.unsuccessful >= failed_share * c.all;
      if (failed) {
        tell(source, c, seconds, limit, nowUs, 'unsuccessful');
        return;
      }
      if (learning) return;
      const cls = ctx.classOf(device);
      if (cls.server || cls.infrastructure || minute.newAddresses.size < answered_targets_60s) return;
      minute.shown = [...source.probes.values()].filter((p) => p.tsUs >= nowUs - MINUTE_US && !p.target.isRemote);
      minute.first = minute.shown[0];
      minute.addresses = minute.newAddresses;
      tell(source, minute, 60, answered_targets_60s, nowUs, 'new');
    }

    function tell(
      source: Source,
      c: Count,
      seconds: number,
      limit: number,
      nowUs: number,
      what: 'unsuccessful' | 'new',
    ): void {
      const n = what === 'new' ? c.newAddresses.size : c.unsuccessful;
      if (n < source.nextTell || c.first === undefined) return;
      source.nextTell = Math.ceil(n * 1.5);
      source.lastTellUs = nowUs;
      const device = source.device ?? c.shown.find((p) => p.target.device !== undefined)?.target.device;
      if (device === undefined) return;
      // Targets that exist first: those are the ones somebody has to look after.
      const shown: Probe[] = [];
      const seen = new Set<number>();
      for (const known of [true, false])
        for (const p of c.shown)
          if ((p.target.device !== undefined) === known && !seen.has(p.address) && shown.length < 16) {
            seen.add(p.address);
            shown.push(p);
          }
      const who = source.device === undefined ? source.self.ip : nameOf(source.device);
      const ports = [...c.ports].sort((a, b) => a - b);
      const shape =
        c.arp > c.unsuccessful / 2 && what === 'unsuccessful'
          ? 'ARP sweep'
          : c.addresses.size <= 2 && c.ports.size > 4
            ? 'port scan'
            : c.ports.size <= 2
              ? 'address sweep'
              : 'scan of addresses and ports';
      const onPorts = ports.length === 0 ? '' : ` on ${plural(ports.length, 'port')} (${listOf(ports)})`;
      const tried = `${who} tried ${plural(c.addresses.size, 'address', 'addresses')}${onPorts}`;
      const result =
        what === 'new'
          ? `none of which it had ever contacted before`
          : `${c.unsuccessful} of ${c.all} attempts that are new to it got no useful answer`;
      ctx.finding({
        device,
        subject: source.device === undefined ? `from ${source.self.ip}` : 'targets',
        severity: MEDIUM,
        confidence: Math.min(98, 70 + 2 * (n - limit) + (source.device?.learning === false ? 10 : 0)),
        tsUs: nowUs,
        firstUs: c.first.tsUs,
        title: `Network scan (${shape})`,
        sentence: `${tried} within ${figureOfSeconds(nowUs - c.first.tsUs)}; ${result}.`,
        evidence: shown.map((p) => ({
          src: source.self,
          dst: p.target,
          service: p.port > 0 ? `${p.proto}/${p.port}` : p.proto,
        })),
        anomalies: [
          {
            parameter: what === 'new' ? `new addresses in ${seconds} s` : `unsuccessful new targets in ${seconds} s`,
            expected: `fewer than ${Math.ceil(limit)}${source.learned > 0 ? ` (most while learning: ${source.learned})` : ''}`,
            seen: String(n),
            pattern: 'ABOVE LIMIT',
          },
          { parameter: 'addresses', expected: 'those learned', seen: String(c.addresses.size), pattern: 'NEW' },
        ],
        patient:
          'Scanning can crash or stall medical devices by itself, and is how an intruder finds pumps, monitors and archives to attack.',
        advice: [
          'Ask who runs a scanner or an inventory tool from this host; if nobody does, treat the host as compromised.',
          'Separate the scanning host from the clinical segment if it is not itself treating a patient.',
          'Check the scanned medical devices at the bedside: some stop or restart when they are probed.',
        ],
        caution: ['Do not scan back or probe the medical devices to find out what happened.'],
      });
    }

    return {
      onFlowStart(flow: FlowView): void {
        const { orig, resp } = flow;
        if (resp.isMulticast || !flow.fromStart) return;
        const proto = flow.proto;
        if (proto === 'other' || (proto === 'udp' && (resp.port >= EPHEMERAL || orig.port < 1024))) return;
        // Only echo requests look for hosts; other ICMP answers something.
        if (proto === 'icmp' && orig.port !== 8 && orig.port !== 128) return;
        const source = sourceOf(orig);
        if (source === undefined) return;
        const port = proto === 'icmp' ? 0 : resp.port;
        const key = keyOf(resp.key, port, flow.ipProto);
        const device = source.device;
        if (device !== undefined) {
          if (device.learning) ctx.novelty(device, 'target', key);
          else if (ctx.knows(device, 'target', key)) return;
        }
        if (source.probes.has(key)) return;
        const probe: Probe = {
          tsUs: flow.startUs,
          address: resp.key,
          port,
          proto,
          target: keepEndpoint(resp),
          graceUs: resp.isRemote ? REMOTE_GRACE_US : LOCAL_GRACE_US,
          outcome: 'pending',
        };
        bySlot.set(flow.slot, probe);
        note(source, key, probe);
      },
      onFlowEstablished(flow): void {
        const probe = bySlot.get(flow.slot);
        if (probe !== undefined) probe.outcome = 'answered';
      },
      onFlowEnd(flow): void {
        const probe = bySlot.get(flow.slot);
        if (probe === undefined) return;
        bySlot.delete(flow.slot);
        // Opened and dropped without a byte: the port was all that was wanted.
        if (probe.outcome === 'pending' || (flow.proto === 'tcp' && flow.origBytes === 0 && flow.respBytes === 0))
          probe.outcome = 'failed';
      },
      onArp(arp): void {
        const sender = arp.sender;
        const asked = arpPending.get(arp.senderKey);
        if (asked !== undefined) {
          for (const probe of asked) probe.outcome = 'answered';
          arpPending.delete(arp.senderKey);
        }
        for (const source of sweeping) judgeRow(source, ctx.nowUs());
        if (sender === undefined || sender.isGateway || arp.isGratuitous || !arp.isRequest) return;
        const entry = ofDevice(sender);
        entry.source ??= create(sender, endpointOf(sender));
        if (sender.learning) ctx.novelty(sender, 'arp', arp.targetKey);
        else if (ctx.knows(sender, 'arp', arp.targetKey)) return;
        const key = keyOf(arp.targetKey, 0, 2054);
        if (entry.source.probes.has(key)) return;
        const probe: Probe = {
          tsUs: ctx.nowUs(),
          address: arp.targetKey,
          port: 0,
          proto: 'arp',
          target: endpointAt(arp.targetIp, arp.targetKey),
          graceUs: LOCAL_GRACE_US,
          outcome: 'pending',
        };
        let pending = arpPending.get(arp.targetKey);
        if (pending === undefined) {
          if (arpPending.size >= MAX_ARP_PENDING) {
            const oldest = arpPending.keys().next();
            if (!oldest.done) arpPending.delete(oldest.value);
          }
          pending = [];
          arpPending.set(arp.targetKey, pending);
        }
        if (pending.length < 16) pending.push(probe);
        extendRow(entry.source, probe, arp.targetIp);
        note(entry.source, key, probe);
      },
      onSecond(nowUs): void {
        for (const source of sweeping) judgeRow(source, nowUs);
        for (const source of changed) {
          judge(source, nowUs);
          if (nowUs - source.changedUs > 10e6) changed.delete(source);
        }
      },
    };
  },
});

function listOf(ports: readonly number[]): string {
  return ports.length <= 8 ? ports.join(', ') : `${ports.slice(0, 8).join(', ')}, …`;
}

/** An IPv4 address as a number; not a number for what is none. */
function addressNumber(ip: string): number {
  const [a, b, c, d] = ip.split('.').map(Number);
  return ((a! * 256 + b!) * 256 + c!) * 256 + d!;
}

function figureOfSeconds(us: number): string {
  return us < 1e6 ? `${Math.max(1, Math.round(us / 1e3))} ms` : `${Math.round(us / 1e6)} s`;
}
