import {
  INFORMATIONAL,
  LOW,
  MEDIUM,
  defineDetector,
  keepEndpoint,
  keyOf,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, Severity } from '../../src/detect/sdk.ts';

interface Recent {
  readonly ends: { readonly end: Endpoint; readonly service: string }[];
  count: number;
  firstUs: number;
  lastUs: number;
  nextTell: number;
  strongest: Severity;
}

/** Networks of a device that people use, by hours of event time. */
interface Browsing {
  hour: number;
  /** New ones in this hour. */
  count: number;
  /** Most new ones in an hour of learning. */
  most: number;
  /** It was told that it leaves the site at all. */
  toldFirst: boolean;
}

const HOUR_US = 3600e6;

export default defineDetector({
  id: 'new-external-destination',
  version: 1,
  status: 'stable',
  title: 'New external destination',
  summary: 'A device makes contact with an address on the internet where it never went before.',
  analytic: 'learning',
  techniques: [
    { id: 'T0883', name: 'Internet Accessible Device', matrix: 'ics' },
    { id: 'T0822', name: 'External Remote Services', matrix: 'ics' },
  ],
  params: {
    usual_new_rate: {
      default: 0.1,
      min: 0,
      max: 1,
      doc: 'Above this Good-Turing chance of a new destination, one more is informational: the device roams the internet.',
    },
    common_in_class: {
      default: 2,
      min: 1,
      max: 1000,
      doc: 'A destination that so many devices of the same class have learned is informational.',
    },
    people_factor: {
      default: 3,
      min: 1,
      max: 1000,
      doc: 'Devices used by people: told where the new networks of an hour exceed so many times the most while learning.',
    },
    people_least: {
      default: 30,
      min: 1,
      max: 10_000,
      doc: 'Devices used by people: fewer new networks in an hour are never told.',
    },
    episode_s: { default: 600, min: 10, max: 86_400, unit: 's', doc: 'Destinations within this time are told as one.' },
  },
  create(ctx) {
    const { usual_new_rate, common_in_class, people_factor, people_least, episode_s } = ctx.params;
    const recent = ctx.perDevice<{ now: Recent | undefined }>(() => ({ now: undefined }));
    const browsing = ctx.perDevice<Browsing>(() => ({ hour: 0, count: 0, most: 0, toldFirst: false }));

    /** Notes a new network of a device that people use: 0 = nothing to tell, 1 = the first at all, else those of this hour. */
    function browses(device: DeviceView, leftBefore: boolean, nowUs: number): number {
      const b = browsing(device);
      const hour = Math.floor(nowUs / HOUR_US);
      if (hour !== b.hour) {
        b.hour = hour;
        b.count = 0;
      }
      b.count++;
      if (device.learning) {
        b.most = Math.max(b.most, b.count);
        return 0;
      }
      if (!leftBefore && !b.toldFirst) {
        b.toldFirst = true;
        return 1;
      }
      return b.count > Math.max(people_least, people_factor * b.most) ? b.count : 0;
    }

    return {
      onFlowEstablished(flow): void {
        const { orig, resp, proto } = flow;
        if (!resp.isPublic && !orig.isPublic) return;
        const outward = resp.isPublic;
        const mine = outward ? orig : resp;
        const far = outward ? resp : orig;
        const device = mine.device;
        if (device === undefined || mine.isRemote || device.isGateway || mine.isMulticast) return;
        if (proto === 'icmp' || proto === 'other') return;
        // Networks rather than hosts: content networks answer from ever other addresses.
        const set = outward ? 'to' : 'from';
        const network = networkOf(far);
        const cls = ctx.classOf(device);
        const nowUs = flow.lastUs;
        const isFirst = !ctx.knows(device, set, network);
        const novelty = ctx.novelty(device, set, network);
        const never = novelty.known === 0;
        // People visit ever other networks: how many is telling, which is not.
        const people = outward && cls.interactive;
        const visited = people && isFirst ? browses(device, !never, nowUs) : 0;
        if (!novelty.isNew || (people && visited === 0)) return;
        const roams = visited > 1 || (outward && novelty.known >= 3 && novelty.newRate > usual_new_rate);
        // Going out once may be maintenance: what makes it worse, an upload or a beacon, is told by its own detector.
        // Nobody on the internet has business in opening a connection to a medical device.
        const severity: Severity =
          novelty.sameClass >= common_in_class || roams
            ? INFORMATIONAL
            : !outward && flow.fromStart && cls.medical && !cls.server && !cls.interactive && never
              ? MEDIUM
              : LOW;
        const entry = recent(device);
        let r = entry.now;
        if (r === undefined || nowUs - r.lastUs > episode_s * 1e6) {
          r = { ends: [], count: 0, firstUs: flow.startUs, lastUs: nowUs, nextTell: 1, strongest: severity };
          entry.now = r;
        }
        r.count++;
        r.lastUs = nowUs;
        if (severity > r.strongest) {
          r.strongest = severity;
          r.nextTell = r.count;
        }
        const service = flow.service !== '' ? flow.service : `${proto}/${flow.resp.port}`;
        if (r.ends.length < 16) r.ends.push({ end: keepEndpoint(far), service });
        if (r.count < r.nextTell) return;
        r.nextTell = r.count * 2;
        const self = keepEndpoint(mine);
        ctx.finding({
          device,
          subject: outward ? 'destinations' : 'visitors',
          severity: r.strongest,
          confidence: never ? 80 : Math.round(70 * (1 - Math.min(1, novelty.newRate))),
          tsUs: nowUs,
          firstUs: r.firstUs,
          title: outward ? 'New external destination' : 'Contact from the internet',
          sentence:
            visited > 1
              ? `${nameOf(device)} went to ${visited} networks of the internet within an hour that it had never used, last ${far.ip} (${service}); the most in an hour of learning was ${browsing(device).most}.`
              : r.count > 1
                ? `${nameOf(device)} exchanged data with ${plural(r.count, 'external network')} it never used, last ${far.ip} (${service}).`
                : outward
                  ? `${nameOf(device)} connected to ${nameOfEndpoint(far)} (${service}) on the internet${never ? '; it never left the site before' : ', a network it never used'}.`
                  : `${far.ip} on the internet connected to ${nameOf(device)} (${service}).`,
          evidence: [...r.ends]
            .reverse()
            .map((e) =>
              outward ? { src: self, dst: e.end, service: e.service } : { src: e.end, dst: self, service: e.service },
            ),
          anomalies: [
            {
              parameter: 'external networks',
              expected: never ? 'none' : `one of ${plural(novelty.known, 'learned network')}`,
              seen: `${far.ip} (${service})`,
              learned: novelty.known,
              pattern: 'NEW',
            },
            {
              parameter: 'devices of the site that go there',
              expected: `${common_in_class} or more`,
              seen: String(novelty.site),
              pattern: 'RARE',
            },
          ],
          ...(cls.phi ? { patient: 'Patient data on the device may leave the hospital.' } : {}),
          advice: [
            'Ask the maker or clinical engineering whether a remote service or update was switched on.',
            'If nobody knows the destination, block it at the firewall; the device goes on working without it.',
          ],
          caution: ['Block the destination, not the device.'],
        });
      },
    };
  },
});

/** Key of the network: /24 of IPv4, /48 of IPv6. */
function networkOf(end: Endpoint): number {
  const parts = end.ip.includes(':')
    ? end.ip.split(':').map((p) => Number.parseInt(p || '0', 16))
    : end.ip.split('.').map(Number);
  return keyOf(parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0);
}
