import {
  LOW,
  MEDIUM,
  defineDetector,
  endpointOf,
  keepEndpoint,
  keyOf,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, FlowView, Severity, Technique } from '../../src/detect/sdk.ts';

const IN_THE_MIDDLE: Technique = { id: 'T0830', name: 'Adversary-in-the-Middle', matrix: 'ics' };
const POSITION: Technique = { id: 'T1557', name: 'Adversary-in-the-Middle', matrix: 'enterprise' };

/** Router advertisement of ICMPv6 (RFC 4861) and of ICMP (RFC 1256). */
const ADVERTISEMENT_6 = 134;
const ADVERTISEMENT_4 = 9;
/** Redirect of ICMPv6 and of ICMP (RFC 792). */
const REDIRECT_6 = 137;
const REDIRECT_4 = 5;
const MAX_SEGMENTS = 4096;
const EPISODE_US = 900e6;

interface Router {
  readonly device: DeviceView;
  readonly learned: boolean;
}

interface Deed {
  readonly firstUs: number;
  lastUs: number;
  count: number;
  nextTell: number;
}

export default defineDetector({
  id: 'rogue-router',
  version: 1,
  status: 'stable',
  title: 'Another host plays the router',
  summary: 'Router advertisements or redirects of a device that is not known as a router.',
  analytic: 'behavioral',
  techniques: [IN_THE_MIDDLE, POSITION],
  params: {},
  create(ctx) {
    /** Routers by segment. */
    const routers = ctx.site(() => new Map<string, Map<number, Router>>());
    const deeds = ctx.site(() => new Map<number, Deed>());

    function judge(flow: FlowView): void {
      if (flow.proto !== 'icmp') return;
      const type = flow.orig.port;
      const v6 = flow.ipProto === 58;
      const advertises = type === (v6 ? ADVERTISEMENT_6 : ADVERTISEMENT_4);
      const redirects = type === (v6 ? REDIRECT_6 : REDIRECT_4);
      if (!advertises && !redirects) return;
      const device = flow.orig.device;
      if (device === undefined) return;
      let known = routers.get(flow.vlan);
      if (known === undefined) {
        if (routers.size >= MAX_SEGMENTS) return;
        known = new Map();
        routers.set(flow.vlan, known);
      }
      const router = known.get(device.id);
      if (router?.learned === true) return;
      const other = [...known.values()].find((r) => r.learned && r.device !== device)?.device;
      // The first router of a segment that is still being learned is taken for what it says.
      if (router === undefined && device.learning && (other === undefined || device.isGateway)) {
        known.set(device.id, { device, learned: true });
        return;
      }
      // A pair of routers is usual: while both are being learned the second is told once, as low.
      const pair = device.learning && other?.learning === true;
      known.set(device.id, { device, learned: pair });
      tell(device, flow, advertises, v6, other);
    }

    function tell(
      device: DeviceView,
      flow: FlowView,
      advertises: boolean,
      v6: boolean,
      other: DeviceView | undefined,
    ): void {
      const nowUs = ctx.nowUs();
      const key = keyOf(device.id, advertises ? 1 : 2, v6 ? 6 : 4);
      let deed = deeds.get(key);
      if (deed === undefined || nowUs - deed.lastUs > EPISODE_US) {
        if (deeds.size >= MAX_SEGMENTS) deeds.clear();
        deed = { firstUs: nowUs, lastUs: nowUs, count: 0, nextTell: 1 };
        deeds.set(key, deed);
      }
      deed.count++;
      deed.lastUs = nowUs;
      if (deed.count < deed.nextTell) return;
      deed.nextTell = deed.count * 4;
      const who = nameOf(device);
      const what = `${v6 ? 'IPv6' : 'IPv4'} ${advertises ? 'router advertisement' : 'redirect'}`;
      const severity: Severity = device.isGateway || (device.learning && other?.learning !== false) ? LOW : MEDIUM;
      ctx.finding({
        device,
        subject: advertises ? 'advertisement' : 'redirect',
        severity,
        confidence: severity === MEDIUM ? 85 : 60,
        tsUs: nowUs,
        firstUs: deed.firstUs,
        title: advertises ? 'Another host plays the router' : 'Another host redirects traffic',
        sentence: `${who} sent ${plural(deed.count, what)} to ${flow.resp.isMulticast ? 'everybody on the segment' : nameOfEndpoint(flow.resp)}${other === undefined ? ', which it never did before' : `; the router of the segment is ${nameOf(other)}`}.`,
        evidence: [
          { src: keepEndpoint(flow.orig), dst: keepEndpoint(flow.resp), service: 'icmp' },
          ...(other === undefined ? [] : [{ src: endpointOf(other), dst: undefined }]),
        ],
        anomalies: [
          {
            parameter: advertises ? 'routers of the segment' : 'hosts that redirect',
            expected: other === undefined ? 'none' : nameOf(other),
            seen: who,
            pattern: 'NEW',
          },
        ],
        patient: 'Whoever plays the router can read, change or stop what monitors and pumps send beyond the segment.',
        advice: [
          `Find the port of ${who} (${device.mac}) and ask whether a router was added or a computer shares its connection.`,
          'Let switches drop router advertisements and redirects from ports that lead to no router (RA guard, RFC 6105).',
        ],
        caution: [
          'Do not restart the devices to clear their routes while patients depend on them: block the sender first.',
        ],
      });
    }

    return { onFlowStart: judge };
  },
});
