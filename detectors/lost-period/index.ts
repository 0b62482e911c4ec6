import { LOW, defineDetector, figure, keepEndpoint, keyOf, nameOf, nameOfEndpoint } from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, FlowView } from '../../src/detect/sdk.ts';

/** What a device sends to one port of one host, as often as it begins a flow or sends a clinical message. */
interface Channel {
  readonly self: Endpoint;
  readonly peer: Endpoint;
  readonly service: string;
  n: number;
  lastUs: number;
  sumUs: number;
  longestUs: number;
  lost: boolean;
}

const MAX_CHANNELS = 32;

export default defineDetector({
  id: 'lost-period',
  version: 1,
  status: 'stable',
  title: 'A regular channel has stopped',
  summary: 'A device goes on talking, and what it used to send to one host at regular times does not come any more.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T0815', name: 'Denial of View', matrix: 'ics' },
    { id: 'T0804', name: 'Block Reporting Message', matrix: 'ics' },
  ],
  params: {
    intervals: { default: 20, min: 5, max: 10_000, doc: 'Intervals that make a channel known.' },
    max_pause_s: {
      default: 120,
      min: 5,
      max: 3600,
      unit: 's',
      doc: 'A channel with a longer pause while learning has no period.',
    },
    regularity: { default: 3, min: 1.1, max: 20, doc: 'Largest ratio of the longest pause to the mean one.' },
    factor: { default: 5, min: 2, max: 50, doc: 'Told from so many times the longest learned pause.' },
    min_lost_s: { default: 60, min: 10, max: 3600, unit: 's', doc: 'Told from so many seconds, at least.' },
  },
  create(ctx) {
    const p = ctx.params;
    const channelsOf = ctx.perDevice<Map<number, Channel>>(() => new Map());

    function regular(c: Channel): boolean {
      const mean = c.sumUs / c.n;
      return c.n >= p.intervals && c.longestUs <= p.max_pause_s * 1e6 && c.longestUs <= p.regularity * mean;
    }
    const dueUs = (c: Channel): number => c.lastUs + Math.max(p.min_lost_s * 1e6, p.factor * c.longestUs);

    function beat(flow: FlowView, nowUs: number): void {
      const { orig, resp } = flow;
      const device = orig.device;
      if (device === undefined || orig.isRemote || device.isGateway || resp.isMulticast || resp.port === 0) return;
      const channels = channelsOf(device);
      const key = keyOf(resp.key, resp.port, flow.ipProto);
      let c = channels.get(key);
      if (c === undefined) {
        if (!device.learning || channels.size >= MAX_CHANNELS) return;
        c = {
          self: keepEndpoint(orig),
          peer: keepEndpoint(resp),
          service: flow.service === '' ? `${flow.proto}/${resp.port}` : flow.service,
          n: 0,
          lastUs: nowUs,
          sumUs: 0,
          longestUs: 0,
          lost: false,
        };
        channels.set(key, c);
        return;
      }
      const pauseUs = nowUs - c.lastUs;
      if (pauseUs <= 0) return;
      c.lastUs = nowUs;
      if (c.lost) {
        c.lost = false;
        ctx.wakeAt(device, dueUs(c));
      } else if (device.learning) {
        c.n++;
        c.sumUs += pauseUs;
        if (pauseUs > c.longestUs) c.longestUs = pauseUs;
      }
    }

    /** Looks at the channels of a device, and says when to look again. */
    function look(device: DeviceView, nowUs: number): void {
      let next = Infinity;
      for (const c of channelsOf(device).values()) {
        if (c.lost) continue;
        const due = dueUs(c);
        if (due > nowUs) {
          next = Math.min(next, due);
          continue;
        }
        // Where the device is silent as well, or nothing is seen, it is not the channel.
        if (ctx.blind(device) || nowUs - device.lastUs > Math.max(10e6, c.longestUs)) {
          next = Math.min(next, nowUs + 10e6);
          continue;
        }
        c.lost = true;
        tell(device, c, nowUs);
      }
      if (next < Infinity) ctx.wakeAt(device, next);
    }

    function tell(device: DeviceView, c: Channel, nowUs: number): void {
      const lostS = (nowUs - c.lastUs) / 1e6;
      const who = nameOf(device);
      const where = nameOfEndpoint(c.peer);
      const peerGone = c.peer.device !== undefined && nowUs - c.peer.device.lastUs > 30e6;
      const medical = ctx.classOf(device).medical;
      ctx.finding({
        device,
        subject: `channel to ${c.peer.key} ${c.service}`,
        severity: LOW,
        confidence: peerGone ? 40 : 70,
        tsUs: nowUs,
        firstUs: c.lastUs,
        title: 'A regular channel has stopped',
        sentence: `${who} has sent nothing to ${where} (${c.service}) for ${figure(lostS)} s; it used to do so every ${figure(c.sumUs / c.n / 1e6)} s, never more than ${figure(c.longestUs / 1e6)} s apart, and goes on talking to others${peerGone ? `; ${where} is not heard either` : ''}.`,
        evidence: [{ src: c.self, dst: c.peer, service: c.service }],
        anomalies: [
          {
            parameter: 'seconds since the last message',
            expected: `at most ${figure(c.longestUs / 1e6)}`,
            seen: figure(lostS),
            unit: 's',
            learned: c.n,
            pattern: 'ABSENT',
          },
        ],
        ...(medical ? { patient: `What ${who} measures may no longer arrive at ${where}.` } : {}),
        advice: [
          `See at ${where} whether ${who} is still shown with current values.`,
          'Look for a setting or an update that has changed.',
        ],
        caution: [`Do not restart ${who} while a patient depends on it.`],
      });
    }

    return {
      onFlowStart(flow): void {
        if (flow.proto === 'tcp' || flow.proto === 'udp') beat(flow, flow.startUs);
      },
      messageKinds: ['hl7.message', 'intellivue.*', 'carescape.*', 'contec.*', 'poct1a.*', 'astm.message', 'sdc.*'],
      onMessage(message): void {
        if (message.flow !== undefined) beat(message.flow, ctx.nowUs());
      },
      onLearned(device): void {
        const channels = channelsOf(device);
        for (const [key, c] of channels) if (!regular(c)) channels.delete(key);
        look(device, ctx.nowUs());
      },
      onWake(device, nowUs): void {
        if (!device.learning) look(device, nowUs);
      },
      onUnobserved(_fromUs, toUs): void {
        // Nobody knows what has been moved meanwhile: a channel counts again from when it is heard again.
        for (const device of ctx.devices())
          for (const c of channelsOf(device).values()) {
            c.lastUs = toUs;
            c.lost = true;
          }
      },
    };
  },
});
