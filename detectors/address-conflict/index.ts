import { LOW, MEDIUM, defineDetector, endpointOf, keyOf, nameOf } from '../../src/detect/sdk.ts';
import type { DeviceView, FlowView, Severity, Technique } from '../../src/detect/sdk.ts';

/** Addresses and fingerprints under one hardware address. */
interface Identity {
  /** IPv4 address to when it was first and last used. */
  readonly addresses: Map<string, { readonly firstUs: number; lastUs: number; learned: boolean }>;
  /** Last address given to it by DHCP, and when. */
  leasedIp: string;
  leaseUs: number;
  hostname: string;
  fingerprint: string;
  vendorClass: string;
  /** Start values of the hop limit while learning, as `protocol/value`, and how many were seen by protocol. */
  readonly ttls: Set<string>;
  readonly ttlsSeen: { tcp: number; udp: number };
  /** Protocols of which another start value has been seen. */
  readonly otherTtl: Set<string>;
  /** What has changed of its stack, with the time. */
  readonly changes: Map<string, { readonly was: string; readonly is: string; readonly tsUs: number }>;
  toldChanges: number;
}

/** An address that has just changed hands while its former holder was still there. */
interface Handover {
  readonly ip: string;
  readonly before: DeviceView;
  readonly after: DeviceView;
  readonly tsUs: number;
  readonly beforeLastUs: number;
}

const MAX_HANDOVERS = 1024;
const MAX_ADDRESSES = 16;
/** Hop limits seen before another one says something. */
const LEARNED_TTLS = 5;
const MASQUERADE: readonly Technique[] = [
  { id: 'T0849', name: 'Masquerading', matrix: 'ics' },
  { id: 'T0864', name: 'Transient Cyber Asset', matrix: 'ics' },
];

export default defineDetector({
  id: 'address-conflict',
  version: 1,
  status: 'stable',
  title: 'Address conflict',
  summary: 'Two hosts use the same address, or a device suddenly has another network stack: one may pose as the other.',
  analytic: 'rule',
  techniques: MASQUERADE,
  params: {
    overlap_s: {
      default: 2,
      min: 0,
      max: 600,
      unit: 's',
      doc: 'The old address must be used so long after the new one for both to be in use at the same time.',
    },
    settle_s: {
      default: 15,
      min: 1,
      max: 600,
      unit: 's',
      doc: 'After a DHCP lease of another address the old one may be in use for so long.',
    },
    heard_s: {
      default: 120,
      min: 5,
      max: 3600,
      unit: 's',
      doc: 'A former holder heard within this time is still there.',
    },
  },
  create(ctx) {
    const overlapUs = ctx.params.overlap_s * 1e6;
    const settleUs = ctx.params.settle_s * 1e6;
    const heardUs = ctx.params.heard_s * 1e6;
    const identities = ctx.perDevice<Identity>(() => ({
      addresses: new Map(),
      leasedIp: '',
      leaseUs: 0,
      hostname: '',
      fingerprint: '',
      vendorClass: '',
      ttls: new Set(),
      ttlsSeen: { tcp: 0, udp: 0 },
      otherTtl: new Set(),
      changes: new Map(),
      toldChanges: 0,
    }));
    const handovers = ctx.site(() => new Map<string, Handover>());

    function hasOneAddress(device: DeviceView): boolean {
      const cls = ctx.classOf(device);
      return cls.medical && !cls.server && !cls.infrastructure && !cls.interactive;
    }

    /** Learning is over: the addresses of a device are those that it had. */
    function settle(device: DeviceView): void {
      for (const use of identities(device).addresses.values()) use.learned = true;
    }

    /** The device used an IPv4 address as its own. */
    function uses(device: DeviceView, ip: string, nowUs: number): void {
      if (device.isGateway || ip === '' || ip.includes(':') || ip.startsWith('169.254.') || ip === '0.0.0.0') return;
      const id = identities(device);
      let use = id.addresses.get(ip);
      if (use === undefined) {
        if (id.addresses.size >= MAX_ADDRESSES) return;
        use = { firstUs: nowUs, lastUs: nowUs, learned: device.learning && !hasOneAddress(device) };
        id.addresses.set(ip, use);
        return;
      }
      use.lastUs = nowUs;
      // Before anything is learned: a device of one purpose has one address, and what it had first is its own.
      const cold = device.learning && hasOneAddress(device);
      if (device.learning && !cold) {
        use.learned = true;
        return;
      }
      if (!cold && !use.learned) return;
      // A learned address is in use: is there one beside it that came after learning?
      for (const [other, recent] of id.addresses) {
        if (recent.learned || other === ip || nowUs - recent.lastUs > heardUs) continue;
        // Both may have been in use since before the watch began.
        if (cold && recent.firstUs - use.firstUs < 2 * settleUs) continue;
        const sinceUs = nowUs - recent.firstUs;
        const leased = id.leasedIp === other && Math.abs(id.leaseUs - recent.firstUs) < settleUs;
        if (sinceUs < overlapUs || (leased && sinceUs < settleUs)) continue;
        recent.learned = true;
        const cls = ctx.classOf(device);
        const many = [...id.addresses.values()].filter((a) => a.learned).length > 2;
        const severity: Severity = cls.server || cls.infrastructure || cls.interactive || many ? LOW : MEDIUM;
        ctx.finding({
          device,
          subject: `second address ${other}`,
          severity,
          confidence: severity === MEDIUM ? 85 : 50,
          tsUs: nowUs,
          firstUs: recent.firstUs,
          title: 'Two hosts with one hardware address',
          sentence: `${device.mac} is used with ${other} while ${nameOf(device)} goes on using ${ip} with the same hardware address${leased ? '' : '; no DHCP server gave that address out'}.`,
          evidence: [{ src: { ...endpointOf(device), ip: other }, dst: { ...endpointOf(device), ip }, service: 'arp' }],
          anomalies: [
            {
              parameter: 'addresses in use at the same time',
              expected: ip,
              seen: `${ip} and ${other}`,
              pattern: 'NEW',
            },
          ],
          patient:
            'A host that poses as a medical device can feed false values into its place or receive commands meant for it.',
          advice: [
            `Find the switch ports on which ${device.mac} is learned; the one that is not the device's is the intruder's.`,
            'Check the device itself: a second interface or an alias may have been configured.',
          ],
          caution: ['Do not block the hardware address: that would cut off the real device as well.'],
        });
      }
    }

    function conflict(h: Handover, nowUs: number, how: string): void {
      handovers.delete(h.ip);
      ctx.finding({
        device: h.after,
        subject: `holder of ${h.ip}`,
        severity: MEDIUM,
        confidence: 80,
        tsUs: nowUs,
        firstUs: h.tsUs,
        title: 'Two devices use the same address',
        sentence: `${h.ip} of ${nameOf(h.before)} (${h.before.mac}) is also claimed by ${h.after.mac}, and ${how}.`,
        evidence: [
          { src: { ...endpointOf(h.after), ip: h.ip }, dst: { ...endpointOf(h.before), ip: h.ip }, service: 'arp' },
        ],
        anomalies: [{ parameter: `holder of ${h.ip}`, expected: h.before.mac, seen: h.after.mac, pattern: 'CHANGED' }],
        patient: 'Data and alarms of the device may reach the wrong host or none.',
        advice: [
          `Find out who ${h.after.mac} is: a wrongly configured device, or one that poses as ${nameOf(h.before)}.`,
          'Correct the newcomer, not the device that had the address.',
        ],
        caution: ['Do not change the address of a device in use.'],
      });
    }

    function goesOn(device: DeviceView, ip: string, nowUs: number): void {
      if (handovers.size === 0) return;
      const h = handovers.get(ip);
      if (h === undefined || h.before !== device || nowUs - h.tsUs <= overlapUs) return;
      if (nowUs - h.tsUs > heardUs) handovers.delete(ip);
      else conflict(h, nowUs, 'its holder goes on using it');
    }

    /** The start value of the hop limit is a trait of the network stack, by protocol. */
    function hops(device: DeviceView, flow: FlowView): void {
      const proto = flow.proto;
      if ((proto !== 'tcp' && proto !== 'udp') || flow.ttl === 0) return;
      if (proto === 'udp' && (flow.resp.port === 67 || flow.resp.port === 68)) return;
      const id = identities(device);
      const start = startOf(flow.ttl);
      const trait = `${proto}/${start}`;
      if (device.learning) {
        id.ttls.add(trait);
        id.ttlsSeen[proto]++;
        return;
      }
      if (id.ttlsSeen[proto] < LEARNED_TTLS) return;
      if (!id.ttls.has(trait)) {
        id.otherTtl.add(proto);
        const usual = [...id.ttls].filter((t) => t.startsWith(proto)).map((t) => t.slice(4));
        changed(device, 'hop limit', usual.join(' or '), String(start));
      } else if (id.otherTtl.has(proto)) {
        // The old stack speaks again: both are there.
        changed(device, 'hop limit, in turn with the old one', 'one system', 'two systems');
      }
    }

    function changed(device: DeviceView, what: string, was: string, is: string): void {
      const id = identities(device);
      const nowUs = ctx.nowUs();
      if (id.changes.has(what)) return;
      id.changes.set(what, { was, is, tsUs: nowUs });
      const cls = ctx.classOf(device);
      // One trait changes with an update or a rename; several at once are another machine.
      const severity: Severity = id.changes.size >= 2 && !cls.interactive && !cls.server ? MEDIUM : LOW;
      if (id.changes.size <= id.toldChanges) return;
      id.toldChanges = id.changes.size;
      const traits = [...id.changes.keys()];
      ctx.finding({
        device,
        subject: 'stack',
        severity,
        confidence: Math.min(90, 40 + 20 * id.changes.size),
        tsUs: nowUs,
        firstUs: [...id.changes.values()][0]!.tsUs,
        title: 'Another system behind a known hardware address',
        sentence: `${nameOf(device)} (${device.mac}) shows another ${traits.join(' and another ')} than it always did.`,
        evidence: [{ src: endpointOf(device), dst: undefined }],
        anomalies: [...id.changes].map(([parameter, c]) => ({
          parameter,
          expected: c.was,
          seen: c.is,
          pattern: 'CHANGED',
        })),
        patient: 'If this is not the device it claims to be, its values and commands must not be trusted.',
        advice: ['Ask whether the device was updated, repaired or replaced. If not, find its switch port.'],
        caution: ['Do not block the hardware address before somebody has looked at the device.'],
      });
    }

    return {
      onLearned: settle,
      onBinding(binding): void {
        const { ip, before, after, source, beforeLastUs } = binding;
        const nowUs = ctx.nowUs();
        if (source === 'use' && siblings(before.mac, after.mac)) return;
        if (before.isGateway || after.isGateway || ip.includes(':')) return;
        const back = handovers.get(ip);
        if (back !== undefined && back.before === after && back.after === before && nowUs - back.tsUs < heardUs) {
          conflict(back, nowUs, 'both claim it in turn');
          return;
        }
        if (source === 'dhcp' || nowUs - Math.max(beforeLastUs, before.lastUs) > heardUs) return;
        if (before.learning && after.learning) return;
        if (back !== undefined && back.before === before && back.after === after) return;
        if (handovers.size < MAX_HANDOVERS) handovers.set(ip, { ip, before, after, tsUs: nowUs, beforeLastUs });
      },
      onArp(arp): void {
        if (arp.sender === undefined || arp.senderIp === '') return;
        uses(arp.sender, arp.senderIp, ctx.nowUs());
        goesOn(arp.sender, arp.senderIp, ctx.nowUs());
      },
      onFlowStart(flow): void {
        const { orig } = flow;
        const device = orig.device;
        if (device === undefined || orig.isRemote || device.isGateway) return;
        // A flow that was picked up from its answers says nothing of what its originator still uses.
        if (!flow.ttlOfOrig) return;
        uses(device, orig.ip, flow.startUs);
        goesOn(device, orig.ip, flow.startUs);
        if (!flow.resp.isMulticast) hops(device, flow);
      },
      onFlowEstablished(flow): void {
        // The frame at hand is the first answer: its sender is the responder.
        const device = flow.resp.device;
        if (flow.ttlOfOrig || device === undefined || flow.resp.isRemote || device.isGateway) return;
        goesOn(device, flow.resp.ip, flow.lastUs);
        hops(device, flow);
      },
      onSecond(nowUs): void {
        // Old conversations go on without new flows: that the holder is heard at all is enough after a while.
        for (const h of handovers.values())
          if (nowUs - h.tsUs > heardUs) handovers.delete(h.ip);
          else if (nowUs - h.tsUs > 10e6 && h.before.ip === h.ip && nowUs - h.before.lastUs < 2e6)
            conflict(h, nowUs, 'its holder goes on sending');
      },
      messageKinds: ['dhcp.message'],
      onMessage(message): void {
        const type = message.text('message_type');
        const device = message.speaker.device;
        if (device === undefined) return;
        if (type === 'ACK') {
          const client = message.text('mac');
          const ip = message.text('your_ip');
          if (client === undefined || ip === undefined) return;
          const other = ctx.deviceBeside(device, client);
          if (other === undefined) return;
          const id = identities(other);
          if (id.leasedIp !== ip) {
            id.leasedIp = ip;
            id.leaseUs = ctx.nowUs();
          }
          return;
        }
        if (type !== 'DISCOVER' && type !== 'REQUEST') return;
        if (message.text('mac') !== device.mac) return;
        const vendorClass = message.text('vendor_class') ?? '';
        const fingerprint = message.text('parameters') ?? '';
        const hostname = message.text('hostname') ?? '';
        // A boot loader asks before the system does, with a fingerprint of its own.
        if (vendorClass.startsWith('PXE') || vendorClass.startsWith('iPXE') || fingerprint === '') return;
        const id = identities(device);
        const knownBefore = ctx.knows(device, 'dhcp', keyOf(textKey(fingerprint), textKey(vendorClass)));
        ctx.novelty(device, 'dhcp', keyOf(textKey(fingerprint), textKey(vendorClass)));
        if (device.learning || id.fingerprint === '') {
          id.fingerprint = fingerprint;
          id.vendorClass = vendorClass;
          id.hostname = hostname;
          return;
        }
        if (!knownBefore) {
          if (fingerprint !== id.fingerprint) changed(device, 'DHCP fingerprint', id.fingerprint, fingerprint);
          if (vendorClass !== id.vendorClass)
            changed(device, 'DHCP vendor class', id.vendorClass || 'none', vendorClass || 'none');
        }
        if (hostname !== id.hostname) changed(device, 'host name', id.hostname || 'none', hostname || 'none');
      },
    };
  },
});

/** Hop limits start at 32, 64, 128 or 255; what is seen is a few less. */
function startOf(ttl: number): number {
  return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

/** Interfaces of one machine have neighbouring hardware addresses and send from each other's. */
function siblings(a: string, b: string): boolean {
  return a.slice(0, 15) === b.slice(0, 15);
}

function textKey(text: string): number {
  let h = 7;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0;
  return h >>> 0;
}
