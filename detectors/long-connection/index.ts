import { LOW, MEDIUM, defineDetector, figure, keepEndpoint, nameOf } from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, FlowView, Severity } from '../../src/detect/sdk.ts';

/** A connection to a host that was new when it was opened. */
interface Open {
  readonly device: DeviceView;
  readonly self: Endpoint;
  readonly peer: Endpoint;
  readonly service: string;
  readonly startUs: number;
  told: boolean;
}

const MAX_OPEN = 4096;

export default defineDetector({
  id: 'long-connection',
  version: 1,
  status: 'stable',
  title: 'Long connection to an unknown host',
  summary: 'A device holds a connection open for long to an external host that neither it nor any other device knew.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T0869', name: 'Standard Application Layer Protocol', matrix: 'ics' },
    { id: 'T1071', name: 'Application Layer Protocol', matrix: 'enterprise' },
    { id: 'T1572', name: 'Protocol Tunneling', matrix: 'enterprise' },
  ],
  params: {
    minutes: {
      default: 30,
      min: 5,
      max: 10_080,
      unit: 'min',
      doc: 'Time for which the connection of a device of one purpose is open.',
    },
    people_minutes: {
      default: 240,
      min: 5,
      max: 10_080,
      unit: 'min',
      doc: 'The same for computers of people, servers and devices of unknown purpose; low.',
    },
  },
  create(ctx) {
    const { minutes, people_minutes } = ctx.params;
    const open = ctx.site(() => new Map<number, Open>());

    function fixed(device: DeviceView): boolean {
      const cls = ctx.classOf(device);
      return device.type !== 'unknown' && !cls.interactive && !cls.server && !cls.infrastructure;
    }
    const limitUs = (device: DeviceView): number => (fixed(device) ? minutes : people_minutes) * 60e6;

    function tell(o: Open, nowUs: number, flow: FlowView | undefined): void {
      o.told = true;
      const { device, peer } = o;
      const severity: Severity = fixed(device) ? MEDIUM : LOW;
      const lasted = (nowUs - o.startUs) / 60e6;
      const carried =
        flow === undefined
          ? 'and it is still open'
          : `with ${figure(flow.origBytes)} bytes sent and ${figure(flow.respBytes)} received`;
      ctx.finding({
        device,
        subject: `connection to ${peer.ip}`,
        severity,
        confidence: severity === MEDIUM ? 75 : 50,
        tsUs: nowUs,
        firstUs: o.startUs,
        title: 'Long connection to an unknown host',
        sentence: `${nameOf(device)} has been connected to ${peer.ip} (${o.service}) for ${figure(lasted)} minutes, ${carried}; no device of the site was learned to go there.`,
        evidence: [{ src: o.self, dst: peer, service: o.service }],
        anomalies: [
          { parameter: 'destination', expected: 'known to the site', seen: peer.ip, pattern: 'NEW' },
          {
            parameter: 'minutes connected to a new host',
            expected: `fewer than ${figure(limitUs(device) / 60e6)}`,
            seen: figure(lasted),
            unit: 'min',
            pattern: 'ABOVE LIMIT',
          },
        ],
        patient: 'A standing way in from outside lets somebody operate the device, or take data, at any time.',
        advice: [
          'Ask whether remote service of the device is under way, and by whom.',
          'If not, block the destination at the firewall and see whether the device looks for another one.',
        ],
        caution: ['Do not cut the device off while a patient depends on it: block the destination.'],
      });
    }

    return {
      onFlowEstablished(flow): void {
        const { orig, resp } = flow;
        const device = orig.device;
        if (device === undefined || orig.isRemote || device.isGateway || !resp.isPublic || resp.isMulticast) return;
        if (flow.proto !== 'tcp' && flow.proto !== 'udp') return;
        const novelty = ctx.novelty(device, 'peer', resp.key);
        if (!novelty.isNew || novelty.site > 0 || open.size >= MAX_OPEN) return;
        open.set(flow.slot, {
          device,
          self: keepEndpoint(orig),
          peer: keepEndpoint(resp),
          service: flow.service === '' ? `${flow.proto}/${resp.port}` : flow.service,
          startUs: flow.startUs,
          told: false,
        });
        ctx.wakeAt(device, flow.startUs + limitUs(device));
      },
      onFlowEnd(flow): void {
        const o = open.get(flow.slot);
        if (o === undefined) return;
        open.delete(flow.slot);
        if (!o.told && flow.lastUs - o.startUs >= limitUs(o.device)) tell(o, flow.lastUs, flow);
      },
      onWake(device, nowUs): void {
        let next = Infinity;
        for (const o of open.values()) {
          if (o.device !== device || o.told) continue;
          const dueUs = o.startUs + limitUs(device);
          if (dueUs <= nowUs) tell(o, nowUs, undefined);
          else next = Math.min(next, dueUs);
        }
        if (next < Infinity) ctx.wakeAt(device, next);
      },
      onUnobserved(): void {
        open.clear();
      },
    };
  },
});
