import { LOW, MEDIUM, defineDetector, endpointOf, keyOfText, nameOf, plural } from '../../src/detect/sdk.ts';
import type { DeviceView, FlowView } from '../../src/detect/sdk.ts';

/** Who is known to have an address. */
interface Holder {
  device: DeviceView;
  /** Last time the holder itself claimed or used the address. */
  lastUs: number;
}

/** An address that a device claims although another one has it. */
interface Claim {
  readonly ip: string;
  readonly key: number;
  readonly victim: DeviceView;
  readonly firstUs: number;
  lastUs: number;
  count: number;
  /** The holder was heard with the address after it had been claimed. */
  contested: boolean;
}

interface Claimant {
  readonly claims: Map<number, Claim>;
  /** Learned to answer for others: proxy ARP, clusters. */
  readonly usual: Set<number>;
  gratuitous: number;
  windowUs: number;
  toldGratuitousUs: number;
  told: number;
  toldUs: number;
}

const MAX_HOLDERS = 65_536;
const MAX_CLAIMS = 256;
const ICMP6 = 58;
/** Neighbour advertisement (RFC 4861). */
const ADVERTISEMENT = 136;
/** VRRP and CARP, HSRP, HSRPv2, GLBP: addresses that are meant to move. */
const ROUTER_MAC = /^(00:00:5e:00:0[12]|00:00:0c:07:ac|00:00:0c:9f:f|00:07:b4:00)/;

export default defineDetector({
  id: 'arp-spoofing',
  version: 1,
  status: 'stable',
  title: 'ARP or neighbour spoofing',
  summary: 'A device claims addresses that belong to others who are still there, so that their traffic goes to it.',
  analytic: 'rule',
  techniques: [
    { id: 'T0830', name: 'Adversary-in-the-Middle', matrix: 'ics' },
    { id: 'T1557.002', name: 'ARP Cache Poisoning', matrix: 'enterprise' },
  ],
  params: {
    holder_heard_s: {
      default: 60,
      min: 1,
      max: 3600,
      unit: 's',
      doc: 'A holder heard within this time is still there.',
    },
    victims: {
      default: 2,
      min: 1,
      max: 100,
      doc: 'Addresses of others claimed within the window from which it is told at once.',
    },
    window_s: { default: 120, min: 5, max: 3600, unit: 's', doc: 'Claims within this time belong together.' },
    repeats: {
      default: 3,
      min: 1,
      max: 1000,
      doc: 'Claims of one address, whose holder goes on using it, from which it is told.',
    },
    gratuitous_10s: {
      default: 50,
      min: 5,
      max: 100_000,
      doc: 'Unasked announcements in 10 seconds that are told as a flood.',
    },
  },
  create(ctx) {
    const { holder_heard_s, victims, window_s, repeats, gratuitous_10s } = ctx.params;
    const holders = ctx.site(() => new Map<number, Holder>());
    const claimants = ctx.perDevice<Claimant>(() => ({
      claims: new Map(),
      usual: new Set(),
      gratuitous: 0,
      windowUs: 0,
      toldGratuitousUs: 0,
      told: 0,
      toldUs: 0,
    }));
    /** Claims under way by address, to see the holder go on. */
    const contested = ctx.site(() => new Map<string, Claim>());

    function flood(device: DeviceView, nowUs: number): void {
      const c = claimants(device);
      if (nowUs - c.windowUs > 10e6) {
        c.windowUs = nowUs;
        c.gratuitous = 0;
      }
      c.gratuitous++;
      if (c.gratuitous !== gratuitous_10s || nowUs - c.toldGratuitousUs < 300e6) return;
      c.toldGratuitousUs = nowUs;
      ctx.finding({
        device,
        subject: 'announcements',
        severity: LOW,
        confidence: 60,
        tsUs: nowUs,
        firstUs: c.windowUs,
        title: 'Flood of ARP announcements',
        sentence: `${nameOf(device)} announced addresses ${c.gratuitous} times within 10 s without being asked.`,
        evidence: [{ src: endpointOf(device), dst: undefined, service: 'arp' }],
        anomalies: [
          {
            parameter: 'gratuitous ARP in 10 s',
            expected: `fewer than ${gratuitous_10s}`,
            seen: String(c.gratuitous),
            pattern: 'ABOVE LIMIT',
          },
        ],
        advice: ['Look for a network loop, a failing interface or a spoofing tool on this device.'],
      });
    }

    function judge(device: DeviceView, nowUs: number, cold: boolean): void {
      const c = claimants(device);
      const live: Claim[] = [];
      let gateway = false;
      let repeated = 0;
      for (const [key, claim] of c.claims) {
        if (nowUs - claim.lastUs > window_s * 1e6) {
          c.claims.delete(key);
          if (contested.get(claim.ip) === claim) contested.delete(claim.ip);
          continue;
        }
        live.push(claim);
        if (claim.victim.isGateway) gateway = true;
        if (claim.contested && claim.count >= repeats) repeated++;
      }
      if (cold ? repeated < victims : live.length < victims && !gateway && repeated === 0) return;
      if (live.length <= c.told && nowUs - c.toldUs < window_s * 1e6) return;
      c.told = live.length;
      c.toldUs = nowUs;
      const first = live[0]!;
      const names = live.slice(0, 4).map((l) => `${nameOf(l.victim)} (${l.ip})`);
      ctx.finding({
        device,
        subject: 'claims',
        severity: MEDIUM,
        confidence: Math.min(98, 75 + 10 * live.length + (repeated > 0 ? 10 : 0) + (gateway ? 10 : 0)),
        tsUs: nowUs,
        firstUs: first.firstUs,
        title: live.some((l) => l.ip.includes(':'))
          ? 'Neighbour discovery spoofing'
          : gateway
            ? 'ARP spoofing of the gateway'
            : 'ARP spoofing',
        sentence: `The device with the hardware address ${device.mac} claims ${plural(live.length, 'address', 'addresses')} of others who are still there: ${names.join(', ')}${live.length > 4 ? ', …' : ''}.`,
        evidence: live.map((l) => ({
          src: { ...endpointOf(device), ip: l.ip },
          dst: endpointOf(l.victim),
          service: l.ip.includes(':') ? 'icmp6' : 'arp',
        })),
        anomalies: live.slice(0, 8).map((l) => ({
          parameter: `holder of ${l.ip}`,
          expected: l.victim.mac,
          seen: `${device.mac}, ${plural(l.count, 'time')}`,
          pattern: 'CHANGED',
        })),
        patient:
          'What passes between these devices can be read, held back or altered on the way: vital signs, alarms, orders.',
        advice: [
          `Find the switch port of ${device.mac} and take that port, not the victims, off the network.`,
          'Compare the values on the bedside devices with those on the central station until this is settled.',
          'Afterwards clear the ARP caches of the victims, or wait until they have expired.',
        ],
        caution: ['Do not disconnect the monitors, pumps or stations whose addresses are claimed.'],
      });
    }

    function used(device: DeviceView, ip: string, nowUs: number): void {
      const claim = contested.get(ip);
      if (claim === undefined || claim.victim !== device || nowUs <= claim.firstUs) return;
      if (!claim.contested) claim.contested = true;
      const holder = holders.get(claim.key);
      if (holder !== undefined) holder.lastUs = nowUs;
    }

    /** A device says that an address is at its own hardware address. */
    function claimed(device: DeviceView, ip: string, key: number, nowUs: number): void {
      const holder = holders.get(key);
      if (holder === undefined) {
        if (holders.size < MAX_HOLDERS) holders.set(key, { device, lastUs: nowUs });
        return;
      }
      if (holder.device === device) {
        holder.lastUs = nowUs;
        used(device, ip, nowUs);
        return;
      }
      const c = claimants(device);
      const cold = device.learning && holder.device.learning;
      if (device.isGateway || (!cold && c.usual.has(key))) return;
      const victim = holder.device;
      const there = nowUs - Math.max(holder.lastUs, victim.lastUs) < holder_heard_s * 1e6;
      // The former holder has gone, or has got another address in the meantime: the address has moved.
      if (!there || (!ip.includes(':') && victim.ip !== ip && !victim.isGateway)) {
        holder.device = device;
        holder.lastUs = nowUs;
        return;
      }
      // While both are being learned it may be a cluster or a proxy: it counts only where it is contested.
      if (cold && c.usual.size < MAX_CLAIMS) c.usual.add(key);
      let claim = c.claims.get(key);
      if (claim === undefined) {
        if (c.claims.size >= MAX_CLAIMS) return;
        claim = { ip: ip, key, victim, firstUs: nowUs, lastUs: nowUs, count: 0, contested: false };
        c.claims.set(key, claim);
        if (contested.size < MAX_HOLDERS) contested.set(ip, claim);
      }
      claim.count++;
      claim.lastUs = nowUs;
      judge(device, nowUs, cold);
    }

    /** Neighbour discovery tells of a flow what ARP tells of a request: who sends from an address has it. */
    function neighbour(flow: FlowView): void {
      const { orig } = flow;
      const { device, ip } = orig;
      if (device === undefined || orig.isRemote || !ip.includes(':') || ROUTER_MAC.test(device.mac)) return;
      const key = keyOfText(ip);
      const holder = holders.get(key);
      const advertises = flow.ipProto === ICMP6 && orig.port === ADVERTISEMENT;
      // Only an advertisement changes where the neighbours send; what else comes from the address of another is forwarded.
      if (advertises || holder === undefined || holder.device === device) claimed(device, ip, key, flow.startUs);
    }

    return {
      onArp(arp): void {
        const device = arp.sender;
        if (device === undefined || arp.senderIp === '' || ROUTER_MAC.test(device.mac)) return;
        const nowUs = ctx.nowUs();
        if (arp.isGratuitous) flood(device, nowUs);
        claimed(device, arp.senderIp, arp.senderKey, nowUs);
      },
      onFlowStart(flow: FlowView): void {
        if (flow.ipProto === ICMP6 || contested.size > 0) neighbour(flow);
        if (contested.size === 0) return;
        const { orig, resp } = flow;
        if (orig.device !== undefined && contested.has(orig.ip)) used(orig.device, orig.ip, flow.startUs);
        if (resp.device !== undefined && contested.has(resp.ip)) used(resp.device, resp.ip, flow.startUs);
      },
      onUnobserved(): void {
        contested.clear();
        for (const device of ctx.devices()) claimants(device).claims.clear();
      },
    };
  },
});
