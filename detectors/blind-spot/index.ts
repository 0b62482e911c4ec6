import { LOW, defineDetector, endpointOf, plural } from '../../src/detect/sdk.ts';
import type { DeviceView, FlowView } from '../../src/detect/sdk.ts';

interface Segment {
  /** Of the running minute. */
  flows: number;
  oneWay: number;
  bytes: number;
  missed: number;
  minuteUs: number;
  /** Regular devices silent at once. */
  dark: boolean;
  toldUs: Record<string, number>;
}

interface Habit {
  longestS: number;
  watchedS: number;
  lastHeardUs: number;
}

const MAX_SEGMENTS = 4096;
/** Segments go dark for longer than this. */
const STEP_US = 5e6;

export default defineDetector({
  id: 'blind-spot',
  version: 1,
  status: 'stable',
  title: 'Blind spot',
  summary: 'The mirror does not show a segment as it should: one direction only, packets missing, or nothing at all.',
  analytic: 'rule',
  techniques: [{ id: 'T0829', name: 'Loss of View', matrix: 'ics' }],
  params: {
    min_flows: { default: 20, min: 5, max: 100_000, doc: 'TCP flows of a minute needed for a judgement.' },
    one_way_share: { default: 0.5, min: 0.05, max: 1, doc: 'Share of TCP flows of which only one direction is seen.' },
    loss_share: { default: 0.05, min: 0.001, max: 1, doc: 'Share of TCP payload that was sent and not seen.' },
    silent_share: {
      default: 0.6,
      min: 0.1,
      max: 1,
      doc: 'Share of the regularly heard devices of a segment that is silent at once.',
    },
    repeat_s: { default: 3600, min: 60, max: 86_400, unit: 's', doc: 'The same is told again after this.' },
  },
  create(ctx) {
    const p = ctx.params;
    const segments = ctx.site(() => new Map<string, Segment>());
    const habits = ctx.perDevice<Habit>(() => ({ longestS: 0, watchedS: 0, lastHeardUs: 0 }));
    const watched = ctx.site(() => ({ fromUs: 0 }));

    function segmentOf(vlan: string): Segment | undefined {
      let s = segments.get(vlan);
      if (s === undefined) {
        if (segments.size >= MAX_SEGMENTS) return undefined;
        s = { flows: 0, oneWay: 0, bytes: 0, missed: 0, minuteUs: 0, dark: false, toldUs: {} };
        segments.set(vlan, s);
      }
      return s;
    }

    function tell(
      vlan: string,
      s: Segment,
      kind: string,
      parameter: string,
      expected: string,
      seen: string,
      sentence: string,
      firstUs: number,
    ): void {
      const nowUs = ctx.nowUs();
      if (nowUs - (s.toldUs[kind] ?? 0) < p.repeat_s * 1e6) return;
      // It is about the segment; its busiest device stands for it.
      let device: DeviceView | undefined;
      for (const d of ctx.devices())
        if (d.vlan === vlan && (device === undefined || d.packets > device.packets)) device = d;
      if (device === undefined) return;
      s.toldUs[kind] = nowUs;
      ctx.finding({
        device,
        subject: `${kind} in ${vlan}`,
        severity: LOW,
        confidence: 80,
        tsUs: nowUs,
        firstUs,
        title: `Blind spot in VLAN ${vlan || 'untagged'}`,
        sentence,
        evidence: [{ src: endpointOf(device), dst: undefined }],
        anomalies: [{ parameter, expected, seen, pattern: 'ABSENT' }],
        advice: [
          'Check the mirror session of the switch: both directions, all ports of the segment, no overload.',
          'Until it is mended, silence and missing answers in this segment prove nothing.',
        ],
      });
    }

    return {
      onFlowEnd(flow: FlowView): void {
        if (flow.proto !== 'tcp') return;
        const s = segmentOf(flow.vlan);
        if (s === undefined) return;
        const packets = flow.origPkts + flow.respPkts;
        const bytes = flow.origBytes + flow.respBytes;
        // A mere attempt says nothing; payload without any answer is half a conversation.
        if (packets < 4 || bytes === 0) return;
        s.flows++;
        if (flow.origPkts === 0 || flow.respPkts === 0) s.oneWay++;
        s.bytes += bytes;
        s.missed += flow.missedBytes;
      },
      onSecond(nowUs): void {
        if (nowUs % STEP_US !== 0) return;
        const regular = new Map<string, { all: number; silent: number }>();
        // Devices of a segment mostly follow each other.
        let of: string | undefined;
        let share = { all: 0, silent: 0 };
        for (const device of ctx.devices()) {
          if (device.isGateway || device.lastUs <= watched.fromUs) continue;
          const h = habits(device);
          h.watchedS += STEP_US / 1e6;
          if (device.lastUs > h.lastHeardUs) {
            const s = segments.get(device.vlan);
            const pauseS =
              h.lastHeardUs <= watched.fromUs || s?.dark === true ? 0 : (device.lastUs - h.lastHeardUs) / 1e6;
            if (pauseS > h.longestS) h.longestS = pauseS;
            h.lastHeardUs = device.lastUs;
          }
          if (h.watchedS < 120 || h.longestS > 60) continue;
          if (device.vlan !== of) {
            of = device.vlan;
            share = regular.get(of) ?? { all: 0, silent: 0 };
            regular.set(of, share);
          }
          share.all++;
          if ((nowUs - device.lastUs) / 1e6 > 2 * h.longestS + 5) share.silent++;
        }
        for (const [vlan, r] of regular) {
          const s = segmentOf(vlan);
          if (s === undefined) continue;
          const dark = r.all >= 4 && r.silent >= p.silent_share * r.all;
          if (dark && !s.dark)
            tell(
              vlan,
              s,
              'silence',
              'devices heard',
              `${r.all} heard regularly`,
              `${r.silent} silent at once`,
              `${r.silent} of ${plural(r.all, 'regularly heard device')} in VLAN ${vlan || 'untagged'} fell silent together, while other traffic goes on: the mirror no longer shows the segment, or its switch is down.`,
              nowUs - 10e6,
            );
          s.dark = dark;
        }
        for (const [vlan, s] of segments) {
          if (s.minuteUs === 0) s.minuteUs = nowUs;
          if (nowUs - s.minuteUs < 60e6) continue;
          if (s.flows >= p.min_flows) {
            if (s.oneWay >= p.one_way_share * s.flows)
              tell(
                vlan,
                s,
                'one direction',
                'TCP flows with one direction only',
                `less than ${Math.round(p.one_way_share * 100)} %`,
                `${s.oneWay} of ${s.flows}`,
                `Of ${s.oneWay} of ${s.flows} TCP flows in VLAN ${vlan || 'untagged'} only one direction is seen: the mirror copies one direction.`,
                s.minuteUs,
              );
            else if (s.missed >= p.loss_share * (s.bytes + s.missed))
              tell(
                vlan,
                s,
                'loss',
                'TCP payload not seen',
                `less than ${Math.round(p.loss_share * 100)} %`,
                `${Math.round((100 * s.missed) / (s.bytes + s.missed))} %`,
                `${Math.round((100 * s.missed) / (s.bytes + s.missed))} % of the TCP payload in VLAN ${vlan || 'untagged'} was sent and not seen: the mirror or the capture loses packets.`,
                s.minuteUs,
              );
          }
          s.flows = 0;
          s.oneWay = 0;
          s.bytes = 0;
          s.missed = 0;
          s.minuteUs = nowUs;
        }
      },
      onUnobserved(_fromUs, toUs): void {
        watched.fromUs = toUs;
        for (const s of segments.values()) {
          s.flows = 0;
          s.oneWay = 0;
          s.bytes = 0;
          s.missed = 0;
          s.minuteUs = 0;
          s.dark = false;
        }
      },
    };
  },
});
