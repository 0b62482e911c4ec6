import { LOW, MEDIUM, defineDetector, endpointOf, figure, keepEndpoint, nameOf, plural } from '../../src/detect/sdk.ts';
import type {
  Anomaly,
  DeviceView,
  Endpoint,
  FlowView,
  ModelScore,
  Severity,
  WindowView,
} from '../../src/detect/sdk.ts';

interface Run {
  /** One bit a window, newest lowest: odd or not. */
  odd: number;
  extreme: number;
  firstUs: number;
  /** Of the oddest window of the run. */
  chance: ModelScore['chance'];
  lastStartUs: number;
  toldUs: number;
  toldSeverity: number;
  /** With whom flows began in the running window. */
  readonly peers: Map<number, { n: number; readonly end: Endpoint; readonly outward: boolean }>;
  peersUs: number;
}

/** Bytes that leave the segment in an hour: what was learned, and the cumulative sum of what is above it. */
interface Drift {
  hour: number;
  bytes: number;
  /** Of log1p(bytes) of whole learned hours: number, mean, sum of squared deviations. */
  n: number;
  mean: number;
  squares: number;
  up: number;
  sinceUs: number;
}

const MAX_PEERS = 64;
const HOUR_US = 3600e6;
/** Page's CUSUM (Biometrika 1954) in standard deviations: half the shift to be found, and what one hour counts at most. */
const SLACK = 0.5;
const CLIP = 4;
/** Least deviation of log1p(bytes): hours never are as alike as that. */
const LEAST_DEVIATION = 0.25;

/** Shape, not amount: no reason for an alert by themselves. */
const DERIVED = new Set(['mean_size_out', 'out_share']);
const WORDS: Readonly<Record<string, string>> = {
  packets_out: 'packets sent',
  packets_in: 'packets received',
  bytes_out: 'bytes sent',
  bytes_in: 'bytes received',
  payload_out: 'payload sent',
  payload_in: 'payload received',
  flows_out: 'connections begun',
  flows_in: 'connections received',
  failed_out: 'failed connections begun',
  failed_in: 'failed connections received',
  peers_out: 'hosts contacted',
  peers_in: 'hosts that made contact',
  services_out: 'services contacted',
  arp_out: 'ARP requests',
  icmp_out: 'ICMP packets',
  broadcast_out: 'broadcasts',
  syn_out: 'TCP connection attempts',
  rst_out: 'TCP resets',
  external_out: 'bytes to other networks',
  messages_out: 'application messages',
  mean_size_out: 'bytes per packet',
  out_share: 'share sent',
};

export default defineDetector({
  id: 'unusual-behaviour',
  version: 1,
  status: 'stable',
  title: 'Unusual behaviour',
  summary: 'What a device sends and receives lies far outside its own learned range and that of its class.',
  analytic: 'statistical',
  techniques: [{ id: 'T0831', name: 'Manipulation of Control', matrix: 'ics' }],
  params: {
    p_value: {
      default: 0.005,
      min: 0,
      max: 0.1,
      doc: 'Conformal p-value below which a window counts as odd for the class.',
    },
    z: {
      default: 5,
      min: 3,
      max: 50,
      doc: 'Robust z of a feature against the own windows from which it counts as far outside.',
    },
    excess: { default: 3, min: 1, max: 100, doc: 'Least ratio to the upper end of the own usual range.' },
    odd_windows: { default: 3, min: 1, max: 8, doc: 'Odd windows among the last eight from which it is told.' },
    extreme_factor: { default: 10, min: 2, max: 1000, doc: 'Ratio to the usual range that counts as extreme.' },
    extreme_windows: {
      default: 6,
      min: 2,
      max: 30,
      doc: 'Extreme windows in a row from which it is medium, for devices that neither serve others nor are used by people.',
    },
    min_windows: {
      default: 24,
      min: 8,
      max: 128,
      doc: 'Learned windows needed before a device is judged by its own range.',
    },
    drift_limit: {
      default: 8,
      min: 3,
      max: 100,
      doc: 'Cumulative sum, in standard deviations, from which a lasting rise of the bytes sent elsewhere is told.',
    },
    drift_hours: {
      default: 24,
      min: 6,
      max: 1000,
      doc: 'Learned hours with traffic needed before a rise is looked for.',
    },
  },
  create(ctx) {
    const { p_value, z, excess, odd_windows, extreme_factor, extreme_windows, min_windows, drift_limit, drift_hours } =
      ctx.params;
    const drifts = ctx.perDevice<Drift>(() => ({ hour: 0, bytes: 0, n: 0, mean: 0, squares: 0, up: 0, sinceUs: 0 }));
    const runs = ctx.perDevice<Run>(() => ({
      odd: 0,
      extreme: 0,
      firstUs: 0,
      chance: { pValue: 1, calibrated: true },
      lastStartUs: 0,
      toldUs: 0,
      toldSeverity: 0,
      peers: new Map(),
      peersUs: 0,
    }));

    function met(mine: Endpoint, far: Endpoint, flow: FlowView, outward: boolean): void {
      const device = mine.device;
      if (device === undefined || device.learning || device.isGateway || mine.isRemote) return;
      const run = runs(device);
      const window = Math.floor(flow.startUs / 10e6);
      if (window !== run.peersUs) {
        run.peersUs = window;
        run.peers.clear();
      }
      const peer = run.peers.get(far.key);
      if (peer !== undefined) peer.n++;
      else if (run.peers.size < MAX_PEERS) run.peers.set(far.key, { n: 1, end: keepEndpoint(far), outward });
    }

    /** Small rises that last: too small for any window, and more every hour. */
    function drift(window: WindowView): void {
      const { device } = window;
      const d = drifts(device);
      const hour = Math.floor(window.startUs / HOUR_US);
      if (hour !== d.hour) {
        if (d.hour !== 0 && d.bytes > 0) closeHour(device, d);
        d.hour = hour;
        d.bytes = 0;
      }
      d.bytes += window.value('external_out');
    }

    function closeHour(device: DeviceView, d: Drift): void {
      const value = Math.log1p(d.bytes);
      if (device.learning) {
        d.n++;
        const off = value - d.mean;
        d.mean += off / d.n;
        d.squares += off * (value - d.mean);
        return;
      }
      if (d.n < drift_hours) return;
      const deviation = Math.max(LEAST_DEVIATION, Math.sqrt(d.squares / (d.n - 1)));
      const above = Math.min(CLIP, (value - d.mean) / deviation);
      if (d.up === 0) d.sinceUs = d.hour * HOUR_US;
      d.up = Math.max(0, d.up + above - SLACK);
      if (d.up < drift_limit) return;
      const endUs = ctx.nowUs();
      const hours = Math.round((endUs - d.sinceUs) / HOUR_US);
      const usual = figure(Math.expm1(d.mean));
      d.up = 0;
      ctx.finding({
        device,
        subject: 'drift',
        severity: LOW,
        confidence: 50,
        tsUs: endUs,
        firstUs: d.sinceUs,
        title: 'Sends more and more elsewhere',
        sentence: `${nameOf(device)} has sent more than usual to other networks for about ${plural(Math.max(1, hours), 'hour')}: ${figure(d.bytes)} bytes in the last one, ${usual} as a rule.`,
        evidence: [{ src: endpointOf(device), dst: undefined }],
        anomalies: [
          {
            parameter: 'bytes to other networks in an hour',
            expected: `about ${usual}`,
            seen: figure(d.bytes),
            unit: 'bytes',
            learned: d.n,
            pattern: 'RISING',
          },
        ],
        advice: ['Look with whom the device talks since then, and whether its use has changed.'],
      });
    }

    return {
      onFlowStart(flow): void {
        if (flow.resp.isMulticast) return;
        met(flow.orig, flow.resp, flow, true);
        met(flow.resp, flow.orig, flow, false);
      },
      onWindow(window: WindowView): void {
        const { device, model } = window;
        if (device.isGateway) return;
        if (window.seconds === 60) drift(window);
        if (window.seconds !== 10 || device.learning || model === undefined) return;
        const run = runs(device);
        const gap = Math.max(1, Math.round((window.startUs - run.lastStartUs) / 10e6));
        run.lastStartUs = window.startUs;
        run.odd = gap > 8 ? 0 : (run.odd << gap) & 255;
        if (gap > 1) run.extreme = 0;
        const limit = Math.max(p_value, 1 / (model.nCalibration + 1));
        if (model.pValue > limit) {
          run.extreme = 0;
          return;
        }
        const rows: { anomaly: Anomaly; ratio: number }[] = [];
        let most = 0;
        for (const feature of window.features) {
          if (DERIVED.has(feature)) continue;
          const standing = window.standing(feature);
          if (standing === undefined || standing.n < min_windows) continue;
          const value = window.value(feature);
          // A handful above nothing is no range: packets and connections are counted from ten, bytes from ten thousand.
          const floor =
            feature.startsWith('bytes') || feature.startsWith('payload') || feature === 'external_out' ? 10_000 : 10;
          // What was learned to happen now and then is no news, however rare.
          const ratio = value / Math.max(standing.high, standing.most, floor);
          if (standing.z < z || ratio < excess) continue;
          if (ratio > most) most = ratio;
          rows.push({
            ratio,
            anomaly: {
              parameter: WORDS[feature] ?? feature,
              expected: `${figure(standing.low)} to ${figure(standing.high)} in 10 s, at most ${figure(standing.most)}`,
              seen: figure(value),
              learned: standing.n,
              pValue: model.pValue,
              pattern: 'ABOVE RANGE',
            },
          });
        }
        if (rows.length === 0) {
          run.extreme = 0;
          return;
        }
        if (run.odd === 0) {
          run.firstUs = window.startUs;
          run.chance = model.chance;
        } else if (model.chance.pValue < run.chance.pValue) run.chance = model.chance;
        run.odd |= 1;
        run.extreme = most >= extreme_factor ? run.extreme + 1 : 0;
        let n = 0;
        for (let bits = run.odd; bits !== 0; bits &= bits - 1) n++;
        if (n < odd_windows) return;
        const cls = ctx.classOf(device);
        const severity: Severity =
          run.extreme >= extreme_windows && !cls.interactive && !cls.server && !cls.infrastructure ? MEDIUM : LOW;
        const endUs = window.startUs + 10e6;
        if (severity <= run.toldSeverity && endUs - run.toldUs < 60e6) return;
        run.toldUs = endUs;
        run.toldSeverity = severity;
        let main: { n: number; end: Endpoint; outward: boolean } | undefined;
        for (const peer of run.peers.values()) if (main === undefined || peer.n > main.n) main = peer;
        const self = endpointOf(device);
        rows.sort((a, b) => b.ratio - a.ratio);
        const top = rows[0]!.anomaly;
        ctx.finding({
          device,
          subject: 'windows',
          severity,
          confidence: Math.min(90, Math.round(40 + 10 * Math.log2(most) + 3 * n)),
          tsUs: endUs,
          firstUs: run.firstUs,
          title: 'Unusual behaviour',
          sentence: `${nameOf(device)} had ${top.seen} ${top.parameter} in 10 s, ${figure(most)} times the upper end of its usual range (${top.expected}), in ${n} of the last 8 windows.`,
          chance: run.chance,
          evidence: [main === undefined || main.outward ? { src: self, dst: main?.end } : { src: main.end, dst: self }],
          anomalies: [
            ...rows.slice(0, 5).map((r) => r.anomaly),
            {
              parameter: 'how odd for its class',
              expected: `p above ${limit.toFixed(4)}`,
              seen: `p = ${probability(model.chance)} (${rank(model)}), mostly by ${model.top
                .slice(0, 3)
                .map((t) => WORDS[t.feature] ?? t.feature)
                .join(', ')}`,
              pValue: model.pValue,
              pattern: 'RARE',
            },
          ],
          ...(cls.medical
            ? { patient: 'A device that is busy with something else may answer late or not at all.' }
            : {}),
          advice: [
            'Compare with what was done on the device at this time: a large study, an update or maintenance explains it.',
          ],
        });
      },
    };
  },
});

/** Extrapolated where it lies beyond calibration; said where that was not possible. */
function probability(chance: ModelScore['chance']): string {
  const text = chance.pValue < 0.001 ? chance.pValue.toExponential(1) : chance.pValue.toFixed(4);
  return chance.calibrated ? text : `${text} or less, uncalibrated`;
}

function rank(model: ModelScore): string {
  const above = Math.round(model.pValue * (model.nCalibration + 1)) - 1;
  return above === 0
    ? `odder than all ${model.nCalibration} windows of calibration`
    : `rank ${above + 1} among ${model.nCalibration} windows of calibration`;
}
