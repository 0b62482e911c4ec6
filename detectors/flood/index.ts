import {
  MEDIUM,
  defineDetector,
  endpointOf,
  figure,
  keepEndpoint,
  nameOf,
  nameOfEndpoint,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, WindowView } from '../../src/detect/sdk.ts';

/** Connection attempts to a device in the running second. */
interface Target {
  secondUs: number;
  flows: number;
  ports: Set<number>;
  /** Attempts by source within the second. */
  readonly sources: Map<number, { n: number; end: Endpoint }>;
  self: Endpoint | undefined;
  /** Most attempts in a second while learning. */
  learned: number;
  /** Seconds in a row above the limit, and when they began. */
  run: number;
  runFromUs: number;
  /** Source of most attempts in the last busy second, else who began a flow last. */
  main: Endpoint | undefined;
  share: number;
  lastNew: Endpoint | undefined;
  /** Who last sent it an ICMP echo request. */
  pinger: Endpoint | undefined;
  toldUs: number;
}

const MAX_SOURCES = 256;
const QUIET_US = 120e6;

export default defineDetector({
  id: 'flood',
  version: 1,
  status: 'stable',
  title: 'Flood',
  summary: 'A device receives packets or connection attempts far beyond anything it ever had to bear.',
  analytic: 'statistical',
  techniques: [
    { id: 'T0814', name: 'Denial of Service', matrix: 'ics' },
    { id: 'T1498', name: 'Network Denial of Service', matrix: 'enterprise' },
  ],
  params: {
    flows_per_s: {
      default: 100,
      min: 10,
      max: 1_000_000,
      unit: 'flows/s',
      doc: 'New flows a second to one device, for three seconds in a row, if it has been learned.',
    },
    unlearned_flows_per_s: {
      default: 500,
      min: 10,
      max: 1_000_000,
      unit: 'flows/s',
      doc: 'The same while the device is not learned.',
    },
    packets_10s: {
      default: 2000,
      min: 100,
      max: 10_000_000,
      unit: 'packets',
      doc: 'Packets in 10 seconds to a device that hardly answers them, where it is learned or is medical and serves nobody.',
    },
    unlearned_packets_10s: {
      default: 100_000,
      min: 100,
      max: 100_000_000,
      unit: 'packets',
      doc: 'The same while any other device is not learned.',
    },
    icmp_10s: {
      default: 1000,
      min: 100,
      max: 10_000_000,
      unit: 'packets',
      doc: 'ICMP packets in 10 seconds that a learned device sends to answer echo requests.',
    },
    factor: { default: 5, min: 1.5, max: 1000, doc: 'Least ratio to the most that was learned.' },
    answered_share: {
      default: 0.2,
      min: 0,
      max: 1,
      doc: 'Where the device sends more than this share of packets back, it is a transfer and not a flood.',
    },
  },
  create(ctx) {
    const p = ctx.params;
    const targets = ctx.perDevice<Target>(() => ({
      secondUs: 0,
      flows: 0,
      ports: new Set(),
      sources: new Map(),
      self: undefined,
      learned: 0,
      run: 0,
      runFromUs: 0,
      main: undefined,
      share: 0,
      lastNew: undefined,
      pinger: undefined,
      toldUs: 0,
    }));

    function close(device: DeviceView, t: Target, nowUs: number): void {
      const n = t.flows;
      const limit = device.learning ? p.unlearned_flows_per_s : Math.max(p.flows_per_s, t.learned * p.factor);
      // Attempts on ever other ports look for services: that is a scan, and said by the scan detector.
      const scan = t.ports.size > n / 4;
      if (n >= limit && !scan) {
        if (t.run++ === 0) t.runFromUs = t.secondUs;
        let top: { n: number; end: Endpoint } | undefined;
        for (const source of t.sources.values()) if (top === undefined || source.n > top.n) top = source;
        t.main = top?.end;
        t.share = top === undefined ? 0 : top.n / n;
        if (t.run >= 3 || n >= 10 * limit)
          tell(device, t, nowUs, 'new flows a second', n, limit, t.learned, t.runFromUs);
      } else {
        t.run = 0;
        if (device.learning && n > t.learned) t.learned = n;
      }
      t.flows = 0;
      t.ports.clear();
      t.sources.clear();
    }

    function tell(
      device: DeviceView,
      t: Target,
      nowUs: number,
      what: string,
      seen: number,
      limit: number,
      learned: number,
      firstUs: number,
    ): void {
      if (nowUs - t.toldUs < QUIET_US) return;
      t.toldUs = nowUs;
      const source = t.main ?? t.lastNew;
      const one = source !== undefined && (t.main === undefined || t.share >= 0.5);
      const actor =
        one && source.device !== undefined && !source.isRemote && !source.device.isGateway ? source.device : undefined;
      const from = one ? nameOfEndpoint(source) : t.sources.size > 0 ? 'many sources' : 'unknown sources';
      const self = t.self ?? endpointOf(device);
      ctx.finding({
        device: actor ?? device,
        subject: `flood of ${device.key}`,
        severity: MEDIUM,
        confidence: Math.min(98, Math.round(70 + 10 * Math.log2(Math.max(1, seen / limit)))),
        tsUs: nowUs,
        firstUs,
        title: 'Flood of a device',
        sentence: `${nameOf(device)} received ${figure(seen)} ${what}, mainly from ${from}; the most it ever had was ${figure(learned)}.`,
        evidence: [
          {
            src: source ?? self,
            dst: self,
            service: self.port > 0 ? `port ${self.port}` : '',
          },
        ],
        anomalies: [
          { parameter: what, expected: `fewer than ${figure(limit)}`, seen: figure(seen), pattern: 'ABOVE RANGE' },
          { parameter: 'most while learning', expected: figure(learned), seen: figure(seen), pattern: 'ABOVE RANGE' },
        ],
        patient:
          'A flooded device may stop sending vital signs and alarms, or restart; small medical devices do so early.',
        advice: [
          one
            ? `Stop the traffic at ${from}: take that host or its switch port off the segment.`
            : 'Stop the traffic upstream, at the switch or firewall.',
          'Look at the device at the bedside and watch the patient there until the flood is over.',
        ],
        caution: ['Do not disconnect the flooded device while it watches or treats a patient.'],
      });
    }

    /** Echo requests that are answered one by one look like a conversation, but nobody converses at such rates. */
    function echoes(window: WindowView, device: DeviceView): void {
      const n = window.value('icmp_out');
      const t = targets(device);
      if (n < p.icmp_10s || t.pinger === undefined || device.learning) return;
      const learned = window.standing('icmp_out')?.high ?? 0;
      const limit = Math.max(p.icmp_10s, p.factor * learned);
      if (n < limit) return;
      t.main = t.pinger;
      t.share = 1;
      const endUs = window.startUs + 10e6;
      tell(device, t, endUs, 'ICMP packets in 10 s (counted by its answers)', n, limit, learned, window.startUs);
    }

    return {
      onFlowStart(flow): void {
        const { orig, resp } = flow;
        const device = resp.device;
        if (device === undefined || device.isGateway || resp.isRemote || resp.isMulticast) return;
        const t = targets(device);
        if (flow.startUs >= t.secondUs + 1e6) {
          if (t.flows > 0) close(device, t, flow.startUs);
          // A quiet second in between ends the run.
          if (flow.startUs >= t.secondUs + 2e6) t.run = 0;
          t.secondUs = Math.floor(flow.startUs / 1e6) * 1e6;
        }
        t.flows++;
        if (t.ports.size < 64) t.ports.add(resp.port);
        if (t.flows > 16) {
          const source = t.sources.get(orig.key);
          if (source !== undefined) source.n++;
          else if (t.sources.size < MAX_SOURCES) t.sources.set(orig.key, { n: 1, end: keepEndpoint(orig) });
          if (t.flows === 17) t.self = keepEndpoint(resp);
        } else if (!device.learning && !ctx.knows(device, 'source', orig.key)) t.lastNew = keepEndpoint(orig);
        if (device.learning) ctx.novelty(device, 'source', orig.key);
        if (flow.proto === 'icmp' && (orig.port === 8 || orig.port === 128)) t.pinger = keepEndpoint(orig);
      },
      onWindow(window: WindowView): void {
        if (window.seconds !== 10) return;
        const device = window.device;
        echoes(window, device);
        const into = window.value('packets_in');
        if (into < p.packets_10s) return;
        if (window.value('packets_out') > p.answered_share * into) return;
        const standing = window.standing('packets_in');
        const learned = device.learning || standing === undefined ? 0 : standing.high;
        const cls = ctx.classOf(device);
        // A bedside device is sent next to nothing that it does not answer, learned or not.
        const fixed = cls.medical && !cls.server && !cls.interactive;
        const limit =
          device.learning || standing === undefined
            ? fixed
              ? p.packets_10s
              : p.unlearned_packets_10s
            : Math.max(p.packets_10s, p.factor * standing.high);
        if (into < limit) return;
        const endUs = window.startUs + 10e6;
        tell(device, targets(device), endUs, 'packets in 10 s', into, limit, learned, window.startUs);
      },
    };
  },
});
