import {
  LOW,
  MEDIUM,
  defineDetector,
  figure,
  keepEndpoint,
  keyOf,
  nameOf,
  nameOfEndpoint,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, FlowView, Severity, WindowView } from '../../src/detect/sdk.ts';

interface Peer {
  readonly end: Endpoint;
  readonly self: Endpoint;
  readonly service: string;
  /** Within the site, by a service that the device was learned to use: work that another host has taken over. */
  readonly familiar: boolean;
  readonly firstUs: number;
  lastUs: number;
  sent: number;
  received: number;
  told: number;
}

interface Outbound {
  /** External peers (and internal ones new to the device) by key: what went there after learning. */
  readonly peers: Map<number, Peer>;
  /** Most payload sent in one flow while learning. */
  learnedFlow: number;
  windowToldUs: number;
}

const MAX_PEERS = 128;
const FRESH_US = 600e6;

export default defineDetector({
  id: 'unusual-upload',
  version: 1,
  status: 'stable',
  title: 'Unusual upload',
  summary: 'A device sends far more to an external or new host than it ever sent anywhere like it.',
  analytic: 'statistical',
  techniques: [
    { id: 'T0882', name: 'Theft of Operational Information', matrix: 'ics' },
    { id: 'T1048', name: 'Exfiltration Over Alternative Protocol', matrix: 'enterprise' },
  ],
  params: {
    bytes_10s: {
      default: 1_000_000,
      min: 10_000,
      max: 1e12,
      unit: 'bytes',
      doc: 'Payload sent outside the monitored segments in 10 seconds, at least.',
    },
    bytes_total: {
      default: 5_000_000,
      min: 10_000,
      max: 1e12,
      unit: 'bytes',
      doc: 'Payload sent to one new host in all its flows, at least: slow uploads.',
    },
    fixed_bytes_total: {
      default: 1_000_000,
      min: 10_000,
      max: 1e12,
      unit: 'bytes',
      doc: 'The same outside the segments for devices of one purpose: neither used by people nor serving others.',
    },
    factor: {
      default: 5,
      min: 1.5,
      max: 1000,
      doc: 'Least ratio to the usual: the range of the windows, or the largest learned flow.',
    },
    ratio: { default: 3, min: 1, max: 1000, doc: 'Least ratio of sent to received payload.' },
  },
  create(ctx) {
    const { bytes_10s, bytes_total, fixed_bytes_total, factor, ratio } = ctx.params;
    const outbound = ctx.perDevice<Outbound>(() => ({ peers: new Map(), learnedFlow: 0, windowToldUs: 0 }));

    function peerOf(device: DeviceView, mine: Endpoint, far: Endpoint, flow: FlowView): Peer | undefined {
      const { peers } = outbound(device);
      let peer = peers.get(far.key);
      if (peer === undefined) {
        if (!ctx.novelty(device, 'peer', far.key).isNew) return undefined;
        if (peers.size >= MAX_PEERS) {
          const oldest = peers.keys().next();
          if (!oldest.done) peers.delete(oldest.value);
        }
        peer = {
          end: keepEndpoint(far),
          self: keepEndpoint(mine),
          service: flow.service !== '' ? flow.service : `${flow.proto}/${flow.resp.port}`,
          familiar: !far.isPublic && mine === flow.orig && ctx.knows(device, 'service', serviceKey(flow)),
          firstUs: flow.startUs,
          lastUs: flow.lastUs,
          sent: 0,
          received: 0,
          told: 0,
        };
        peers.set(far.key, peer);
      }
      return peer;
    }

    function sides(
      flow: FlowView,
      visit: (device: DeviceView, mine: Endpoint, far: Endpoint, out: number, into: number) => void,
    ): void {
      const { orig, resp } = flow;
      if (resp.isMulticast) return;
      if (orig.device !== undefined && !orig.isRemote && !orig.device.isGateway)
        visit(orig.device, orig, resp, flow.origBytes, flow.respBytes);
      if (resp.device !== undefined && !resp.isRemote && !resp.device.isGateway)
        visit(resp.device, resp, orig, flow.respBytes, flow.origBytes);
    }

    function tell(
      device: DeviceView,
      peer: Peer,
      sent: number,
      span: string,
      usual: number,
      severity: Severity,
      firstUs: number,
    ): void {
      const nowUs = ctx.nowUs();
      const cls = ctx.classOf(device);
      ctx.finding({
        device,
        subject: `upload to ${peer.end.ip}`,
        severity,
        confidence: Math.min(
          92,
          Math.round(60 + 8 * Math.log2(Math.max(1, sent / Math.max(bytes_10s, usual))) + (peer.end.isPublic ? 15 : 0)),
        ),
        tsUs: nowUs,
        firstUs,
        title: peer.end.isPublic ? 'Unusual upload to the internet' : 'Unusual transfer to a new host',
        sentence: `${nameOf(device)} sent ${amount(sent)} ${span} to ${nameOfEndpoint(peer.end)} (${peer.service}), to which it never sent anything; the most it is used to is ${amount(usual)}.`,
        evidence: [{ src: peer.self, dst: peer.end, service: peer.service }],
        anomalies: [
          {
            parameter: 'bytes sent',
            expected: `up to ${figure(usual)}`,
            seen: figure(sent),
            unit: 'bytes',
            pattern: 'ABOVE RANGE',
          },
          { parameter: 'destination', expected: 'a known host', seen: peer.end.ip, pattern: 'NEW' },
        ],
        ...(cls.phi || cls.interactive
          ? { patient: 'The data may be patient records: what has left the hospital cannot be called back.' }
          : {}),
        advice: [
          'Ask the person at the device what was sent. If nobody knows, block the destination at once.',
          'Keep the capture: its size and time show what was taken, even where it was encrypted.',
        ],
        ...(cls.medical ? { caution: ['Block the destination rather than the device.'] } : {}),
      });
    }

    return {
      onFlowEstablished(flow): void {
        sides(flow, (device, mine, far) => {
          if (device.learning) {
            ctx.novelty(device, 'peer', far.key);
            if (mine === flow.orig) ctx.novelty(device, 'service', serviceKey(flow));
          } else {
            const peer = peerOf(device, mine, far, flow);
            if (peer !== undefined) peer.lastUs = flow.lastUs;
          }
        });
      },
      onWindow(window: WindowView): void {
        if (window.seconds !== 10) return;
        const device = window.device;
        const sent = window.value('external_out');
        if (device.learning || sent < bytes_10s) return;
        const standing = window.standing('external_out');
        const usual = standing?.high ?? 0;
        if (standing === undefined || sent < factor * usual) return;
        if (window.value('payload_out') < ratio * window.value('payload_in')) return;
        const state = outbound(device);
        const endUs = window.startUs + 10e6;
        let newest: Peer | undefined;
        for (const peer of state.peers.values())
          if ((peer.end.isPublic || peer.end.isRemote) && endUs - peer.firstUs < FRESH_US)
            if (
              newest === undefined ||
              (peer.familiar === newest.familiar ? peer.lastUs >= newest.lastUs : newest.familiar)
            )
              newest = peer;
        if (newest === undefined || endUs - state.windowToldUs < 60e6) return;
        state.windowToldUs = endUs;
        newest.told = Math.max(newest.told, sent);
        tell(
          device,
          newest,
          sent,
          'within 10 s',
          usual,
          newest.familiar ? LOW : MEDIUM,
          Math.max(newest.firstUs, window.startUs - 10e6),
        );
      },
      onFlowEnd(flow): void {
        sides(flow, (device, mine, far, out, into) => {
          const state = outbound(device);
          if (device.learning) {
            if (out > state.learnedFlow) state.learnedFlow = out;
            return;
          }
          if (!flow.established) return;
          const peer = peerOf(device, mine, far, flow);
          if (peer === undefined) return;
          peer.sent += out;
          peer.received += into;
          const external = peer.end.isPublic || (peer.end.isRemote && !peer.familiar);
          const usual = external ? 0 : state.learnedFlow;
          const cls = ctx.classOf(device);
          const fixed = device.type !== 'unknown' && !cls.interactive && !cls.server && !cls.infrastructure;
          const least = external && fixed ? fixed_bytes_total : bytes_total;
          if (peer.sent < Math.max(least, factor * usual, 2 * peer.told)) return;
          if (peer.sent < ratio * peer.received) return;
          peer.told = peer.sent;
          // Within the site a new archive or server takes large amounts as well.
          tell(device, peer, peer.sent, 'in all', state.learnedFlow, external ? MEDIUM : LOW, peer.firstUs);
        });
      },
    };
  },
});

/** The service as a host offers it: its port and protocol. */
function serviceKey(flow: FlowView): number {
  return keyOf(flow.resp.port, flow.ipProto);
}

function amount(bytes: number): string {
  return bytes >= 1e6 ? `${figure(bytes / 1e6)} MB` : bytes >= 1e3 ? `${figure(bytes / 1e3)} kB` : `${bytes} bytes`;
}
