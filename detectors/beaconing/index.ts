import {
  LOW,
  MEDIUM,
  defineDetector,
  figure,
  keepEndpoint,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { Endpoint, FlowView, Severity } from '../../src/detect/sdk.ts';

/** Calls of one device to one peer that is new to it. */
interface Series {
  readonly peer: Endpoint;
  readonly self: Endpoint;
  readonly service: string;
  readonly site: number;
  /** How long the device had been watched at the first call. */
  readonly watchedUs: number;
  /** It began while the device was being learned. */
  readonly learning: boolean;
  /** Starts, at least a second apart. */
  readonly times: number[];
  readonly sent: number[];
  answered: number;
  ended: number;
  toldAt: number;
}

const MAX_SERIES = 64;
const MAX_TIMES = 64;
/** Services of the network itself, regular by nature, when they stay on the site: DNS, NTP, SNMP, syslog. */
const ROLES = new Set([53, 67, 68, 123, 137, 138, 161, 162, 514, 5353, 5355, 1900, 3702]);

export default defineDetector({
  id: 'beaconing',
  version: 1,
  status: 'stable',
  title: 'Regular calls to a new host',
  summary:
    'A device calls a host that neither it nor its peers ever called, in small amounts and at regular intervals.',
  analytic: 'statistical',
  techniques: [
    { id: 'T0869', name: 'Standard Application Layer Protocol', matrix: 'ics' },
    { id: 'T1071', name: 'Application Layer Protocol', matrix: 'enterprise' },
  ],
  params: {
    strict_intervals: {
      default: 6,
      min: 4,
      max: 50,
      doc: 'Intervals that suffice when they vary by less than a tenth.',
    },
    intervals: { default: 8, min: 5, max: 60, doc: 'Intervals that suffice when they vary by less than a fifth.' },
    loose_intervals: {
      default: 14,
      min: 6,
      max: 60,
      doc: 'Intervals that suffice when they vary by less than `max_spread`.',
    },
    max_spread: {
      default: 0.35,
      min: 0.05,
      max: 0.6,
      doc: 'Largest median absolute deviation of the intervals over their median. Jitter of half the period has 0.25, chance 0.69.',
    },
    max_bytes: {
      default: 100_000,
      min: 100,
      max: 100_000_000,
      unit: 'bytes',
      doc: 'Calls that carry more than this in the median are work.',
    },
    min_period_s: { default: 1, min: 1, max: 3600, unit: 's', doc: 'Shorter periods are a transfer.' },
  },
  create(ctx) {
    const p = ctx.params;
    const byDevice = ctx.perDevice<Map<number, Series>>(() => new Map());
    /** Flow in progress to its series. */
    const open = ctx.site(() => new Map<number, { series: Series; at: number }>());

    function judge(flow: FlowView, s: Series): void {
      const n = s.times.length - 1;
      if (n < p.strict_intervals || n < s.toldAt) return;
      const gaps = new Float64Array(n);
      for (let i = 0; i < n; i++) gaps[i] = s.times[i + 1]! - s.times[i]!;
      gaps.sort();
      const period = middle(gaps);
      if (period < p.min_period_s * 1e6) return;
      for (let i = 0; i < n; i++) gaps[i] = Math.abs(gaps[i]! - period);
      gaps.sort();
      const spread = middle(gaps) / period;
      const needed = spread < 0.1 ? p.strict_intervals : spread < 0.2 ? p.intervals : p.loose_intervals;
      if (spread > p.max_spread || n < needed) return;
      if (s.learning) {
        // A period that was there before the watch would have shown by then; others may have come to call as well.
        if (s.watchedUs < 3 * period || n < p.intervals || spread >= 0.2) return;
        if (ctx.novelty(flow.orig.device!, 'peer', s.peer.key).site > 0) return;
      }
      const sizes = Float64Array.from(s.sent).sort();
      const size = sizes.length > 0 ? middle(sizes) : 0;
      if (size > p.max_bytes) return;
      for (let i = 0; i < sizes.length; i++) sizes[i] = Math.abs(sizes[i]! - size);
      sizes.sort();
      const sizeSpread = size > 0 && sizes.length > 0 ? middle(sizes) / size : 0;
      if (sizeSpread > 0.5) return;
      const device = flow.orig.device!;
      s.toldAt = n * 2;
      // Inside the site a new regular call is mostly a new job; to the outside nobody else goes to, it is a beacon.
      // Programs of people poll hosts of their own; of nobody's habits is known anything while they are learned.
      const cold =
        s.learning && ctx.classOf(device).interactive && (spread >= 0.1 || sizeSpread >= 0.1 || n < p.loose_intervals);
      const severity: Severity = s.peer.isPublic && s.site === 0 && !cold ? MEDIUM : LOW;
      const seconds = period / 1e6;
      const jitter = Math.round(spread * 100);
      const nowUs = ctx.nowUs();
      ctx.finding({
        device,
        subject: `calls to ${s.peer.ip}`,
        severity,
        confidence: Math.min(95, Math.round(60 + n + 40 * (0.35 - spread))),
        tsUs: nowUs,
        firstUs: s.times[0]!,
        title: s.peer.isPublic ? 'Regular calls to an unknown external host' : 'Regular calls to a new host',
        sentence: `${nameOf(device)} called ${nameOfEndpoint(s.peer)} (${s.service}) ${n + 1} times, every ${figure(seconds)} s with ${jitter} % spread, sending ${figure(size)} bytes a time; no other device of the site goes there.`,
        evidence: [{ src: s.self, dst: s.peer, service: s.service }],
        anomalies: [
          { parameter: 'destination', expected: 'known to the device or its peers', seen: s.peer.ip, pattern: 'NEW' },
          {
            parameter: 'spread of the intervals',
            expected: 'about 69 % where calls come by chance',
            seen: `${jitter} % of ${figure(seconds)} s over ${plural(n, 'interval')}`,
            pattern: 'PERIODIC',
          },
          {
            parameter: 'bytes a call',
            expected: 'varying',
            seen: `${figure(size)}, ${Math.round(sizeSpread * 100)} % spread`,
            unit: 'bytes',
            pattern: 'PERIODIC',
          },
          {
            parameter: 'calls without an answer',
            expected: '0',
            seen: String(s.ended - Math.min(s.answered, s.ended)),
            pattern: 'COUNT',
          },
        ],
        patient: 'A device that is steered from outside can be made to fail, or to pass on patient data.',
        advice: [
          'Look the destination up, and ask who installed what on the device.',
          'Block the destination at the firewall and watch whether the device looks for another one.',
        ],
        caution: ['Do not switch off a medical device for this; blocking the destination is enough for the moment.'],
      });
    }

    return {
      onFlowStart(flow): void {
        const { orig, resp } = flow;
        const device = orig.device;
        if (device === undefined || orig.isRemote || device.isGateway || resp.isMulticast || !flow.fromStart) return;
        if (flow.proto !== 'tcp' && flow.proto !== 'udp') return;
        if (!resp.isPublic && ROLES.has(resp.port)) return;
        const series = byDevice(device);
        let s = series.get(resp.key);
        // While nothing is learned only what is outside, and began while the device was watched, can be new.
        if (device.learning && s === undefined && (!resp.isPublic || ctx.knows(device, 'peer', resp.key))) {
          ctx.novelty(device, 'peer', resp.key);
          return;
        }
        if (s === undefined) {
          const novelty = ctx.novelty(device, 'peer', resp.key);
          if (novelty.sameClass > 0 || !(novelty.isNew || (device.learning && novelty.site === 0))) return;
          if (series.size >= MAX_SERIES) {
            const oldest = series.keys().next();
            if (!oldest.done) series.delete(oldest.value);
          }
          s = {
            peer: keepEndpoint(resp),
            self: keepEndpoint(orig),
            service: `${flow.proto}/${resp.port}`,
            site: novelty.site,
            watchedUs: flow.startUs - device.firstUs,
            learning: device.learning,
            times: [],
            sent: [],
            answered: 0,
            ended: 0,
            toldAt: 0,
          };
          series.set(resp.key, s);
        }
        const last = s.times.at(-1);
        // Several connections at once are one call.
        if (last !== undefined && flow.startUs - last < 1e6) return;
        s.times.push(flow.startUs);
        if (s.times.length > MAX_TIMES) s.times.shift();
        open.set(flow.slot, { series: s, at: flow.startUs });
        judge(flow, s);
      },
      onFlowEstablished(flow): void {
        const entry = open.get(flow.slot);
        if (entry !== undefined) entry.series.answered++;
      },
      onFlowEnd(flow): void {
        const entry = open.get(flow.slot);
        if (entry === undefined) return;
        open.delete(flow.slot);
        entry.series.ended++;
        entry.series.sent.push(flow.origBytes);
        if (entry.series.sent.length > MAX_TIMES) entry.series.sent.shift();
      },
      onLearned(device): void {
        const series = byDevice(device);
        for (const [key, s] of series) if (s.learning) series.delete(key);
      },
      onUnobserved(): void {
        // Intervals across a pause mean nothing.
        for (const device of ctx.devices())
          for (const s of byDevice(device).values()) {
            s.times.length = 0;
            s.toldAt = 0;
          }
      },
    };
  },
});

/** Middle of sorted values. */
function middle(sorted: Float64Array): number {
  const n = sorted.length;
  return n === 0 ? 0 : (sorted[(n - 1) >> 1]! + sorted[n >> 1]!) / 2;
}
