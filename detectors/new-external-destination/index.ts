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
import type { Endpoint, Severity } from '../../src/detect/sdk.ts';

interface Recent {
  readonly ends: { readonly end: Endpoint; readonly service: string }[];
  count: number;
  firstUs: number;
  lastUs: number;
  nextTell: number;
  strongest: Severity;
}

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
    episode_s: { default: 600, min: 10, max: 86_400, unit: 's', doc: 'Destinations within this time are told as one.' },
  },
  create(ctx) {
    const { usual_new_rate, common_in_class, episode_s } = ctx.params;
    const recent = ctx.perDevice<{ now: Recent | undefined }>(() => ({ now: undefined }));

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
        const novelty = ctx.novelty(device, outward ? 'to' : 'from', networkOf(far));
        if (!novelty.isNew) return;
        const cls = ctx.classOf(device);
        const roams =
          outward && (cls.interactive || (novelty.known >= 3 && novelty.newRate > usual_new_rate)) && novelty.known > 0;
        const never = novelty.known === 0;
        // A medical device that never left the house and now does is a finding by itself.
        const severity: Severity =
          novelty.sameClass >= common_in_class || roams
            ? INFORMATIONAL
            : cls.medical && !cls.server && !cls.interactive && never
              ? MEDIUM
              : LOW;
        const nowUs = flow.lastUs;
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
            r.count > 1
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
