import {
  INFORMATIONAL,
  LOW,
  defineDetector,
  endpointOf,
  keepEndpoint,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceClass, DeviceView, Endpoint, FlowView, Severity } from '../../src/detect/sdk.ts';

interface Episode {
  readonly firstUs: number;
  lastUs: number;
  /** Most telling first; at most 16 are kept. */
  readonly peers: {
    readonly end: Endpoint;
    readonly outward: boolean;
    readonly service: string;
    readonly sameClass: number;
  }[];
  count: number;
  nextTell: number;
  strongest: Severity;
}

/** Ports on which everybody finds everybody: DHCP, NetBIOS names, mDNS, LLMNR, SSDP and WS-Discovery answers. */
const CHATTER = new Set([67, 68, 137, 138, 546, 547, 1900, 3702, 5353, 5355]);
/** Telephones and video systems agree on ports from here on. */
const FIRST_MEDIA_PORT = 10_000;
const MAX_SHOWN = 16;
/** A share of new things means something from so many known ones on. */
const MIN_KNOWN = 3;

export default defineDetector({
  id: 'new-peer',
  version: 1,
  status: 'stable',
  title: 'New communication partner',
  summary: 'A device holds a conversation with a host of the site that it never talked to before.',
  analytic: 'learning',
  techniques: [{ id: 'T0888', name: 'Remote System Information Discovery', matrix: 'ics' }],
  params: {
    episode_s: {
      default: 600,
      min: 10,
      max: 86_400,
      unit: 's',
      doc: 'New peers of a device within this time are told as one.',
    },
    common_in_class: {
      default: 3,
      min: 1,
      max: 1000,
      doc: 'A peer that so many devices of the same class have learned is merely informational.',
    },
    many_clients: {
      default: 8,
      min: 1,
      max: 1000,
      doc: 'A device to which so many hosts came while learning serves others, whatever its class: one more is informational.',
    },
    usual_new_rate: {
      default: 0.1,
      min: 0,
      max: 1,
      doc: 'Above this Good-Turing chance of a new peer, a single one is informational.',
    },
  },
  create(ctx) {
    const { episode_s, common_in_class, many_clients, usual_new_rate } = ctx.params;
    const episodes = ctx.perDevice<{ now: Episode | undefined }>(() => ({ now: undefined }));

    /** Whether the end is a device that is learned and has a behaviour of its own. */
    const judged = (end: Endpoint): DeviceView | undefined =>
      end.device !== undefined && !end.isRemote && !end.device.isGateway ? end.device : undefined;

    /** People call each other: the media of a call go straight between two telephones, on ports agreed for it (RFC 3264). */
    const isCall = (flow: FlowView, mine: DeviceClass, peer: Endpoint): boolean =>
      flow.proto === 'udp' &&
      flow.orig.port >= FIRST_MEDIA_PORT &&
      flow.resp.port >= FIRST_MEDIA_PORT &&
      mine.interactive &&
      peer.device !== undefined &&
      ctx.classOf(peer.device).interactive;

    function meet(me: DeviceView, self: Endpoint, peer: Endpoint, flow: FlowView, outward: boolean): boolean {
      const novelty = ctx.novelty(me, 'peer', peer.key);
      const clients = outward ? 0 : ctx.novelty(me, 'client', peer.key).known;
      if (!novelty.isNew) return false;
      const cls = ctx.classOf(me);
      if (isCall(flow, cls, peer)) return false;
      // Those who serve get new clients, those who are used by people get new servers.
      const expected =
        cls.infrastructure ||
        (!outward && (cls.server || clients >= many_clients)) ||
        (cls.interactive && outward) ||
        novelty.sameClass >= common_in_class ||
        (novelty.known >= MIN_KNOWN && novelty.newRate > usual_new_rate);
      const severity: Severity = expected ? INFORMATIONAL : LOW;
      const entry = episodes(me);
      const nowUs = flow.lastUs;
      let episode = entry.now;
      if (episode === undefined || nowUs - episode.lastUs > episode_s * 1e6) {
        episode = { firstUs: flow.startUs, lastUs: nowUs, peers: [], count: 0, nextTell: 1, strongest: severity };
        entry.now = episode;
      }
      episode.lastUs = nowUs;
      episode.count++;
      if (severity > episode.strongest) {
        episode.strongest = severity;
        episode.nextTell = episode.count;
      }
      const service = flow.service !== '' ? flow.service : `${flow.proto}/${flow.resp.port}`;
      if (episode.peers.length < MAX_SHOWN)
        episode.peers.push({ end: keepEndpoint(peer), outward, service, sameClass: novelty.sameClass });
      if (episode.count < episode.nextTell) return true;
      episode.nextTell = episode.count * 2;
      const last = episode.peers.at(-1)!;
      // Who acts is named: a device that has just appeared, rather than the servers it turns to.
      const actor = !outward && peer.device !== undefined && !peer.isRemote && !peer.device.isGateway;
      const name = nameOf(me);
      const sentence =
        episode.count === 1
          ? outward
            ? `${name} talked to ${nameOfEndpoint(peer)} (${service}), which it never did before.`
            : `${nameOfEndpoint(peer)} talked to ${name} (${service}) for the first time.`
          : `${name} talked to ${plural(episode.count, 'host')} it never talked to before, last to ${nameOfEndpoint(peer)} (${service}).`;
      const mine = outward ? self : endpointOf(me);
      ctx.finding({
        device: actor ? peer.device : me,
        subject: actor ? `met ${me.key}` : 'peers',
        severity: episode.strongest,
        confidence: Math.round(90 * (1 - Math.min(1, novelty.newRate)) * (last.sameClass > 0 ? 0.6 : 1)),
        tsUs: nowUs,
        firstUs: episode.firstUs,
        title: episode.count === 1 ? 'New communication partner' : `${episode.count} new communication partners`,
        sentence,
        evidence: [...episode.peers]
          .reverse()
          .map((p) =>
            p.outward
              ? { src: mine, dst: p.end, service: p.service }
              : { src: p.end, dst: endpointOf(me), service: p.service },
          ),
        anomalies: [
          {
            parameter: 'peer',
            expected: `one of ${plural(novelty.known, 'learned peer')}`,
            seen: nameOfEndpoint(peer),
            learned: novelty.known,
            pattern: 'NEW',
          },
          {
            parameter: 'devices of the same class that know this peer',
            expected: `${common_in_class} or more`,
            seen: String(novelty.sameClass),
            pattern: 'RARE',
          },
          {
            parameter: 'chance of a new peer',
            expected: `${(novelty.newRate * 100).toFixed(1)} % a contact`,
            seen: plural(episode.count, 'new peer'),
            pattern: 'NEW',
          },
        ],
        ...(cls.medical
          ? {
              patient:
                'A host that has no business with a medical device can read its data, disturb it or change what it shows.',
            }
          : {}),
        advice: ['Ask whether a device, server or service was added or moved; if so, learn it.'],
      });
      return true;
    }

    return {
      onFlowEstablished(flow): void {
        const { orig, resp, proto } = flow;
        if (proto === 'icmp' || proto === 'other') return;
        if (orig.isMulticast || resp.isMulticast || orig.isPublic || resp.isPublic) return;
        if (CHATTER.has(resp.port) || CHATTER.has(orig.port)) return;
        const a = judged(orig);
        const b = judged(resp);
        if (a !== undefined && b !== undefined) {
          const told = meet(a, orig, resp, flow, true);
          // One deed, one alert: the other side is told of only where the actor cannot be judged.
          if (told || b.learning) ctx.novelty(b, 'peer', orig.key);
          else meet(b, resp, orig, flow, false);
        } else if (a !== undefined) meet(a, orig, resp, flow, true);
        else if (b !== undefined) meet(b, resp, orig, flow, false);
      },
    };
  },
});
