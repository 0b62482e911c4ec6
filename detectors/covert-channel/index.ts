import {
  LOW,
  MEDIUM,
  defineDetector,
  endpointOf,
  figure,
  keepEndpoint,
  keyOf,
  keyOfText,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, Severity, Technique } from '../../src/detect/sdk.ts';
import { NO_DOMAIN, registeredDomain } from './names.ts';

/** Queries of a device below one domain within the minute at hand. */
interface Talk {
  startUs: number;
  /** Different names, by hash, and how many of them are long. */
  readonly names: Set<number>;
  long: number;
  /** Bytes that the different names carry beside the domain. */
  carried: number;
  /** Bytes of TXT, NULL, CNAME data that came back, and in how many answers. */
  received: number;
  answers: number;
  nextTell: number;
}

interface Dns {
  readonly talks: Map<string, Talk>;
  /** Domains said not to exist, with the time. */
  readonly missing: Map<string, number>;
  learnedMissing: number;
  learnedCarried: number;
  nextMissing: number;
}

const TUNNEL: Technique = { id: 'T1071.004', name: 'DNS', matrix: 'enterprise' };
const TUNNELING: Technique = { id: 'T1572', name: 'Protocol Tunneling', matrix: 'enterprise' };
const EXFILTRATION: Technique = {
  id: 'T1048.003',
  name: 'Exfiltration Over Unencrypted Non-C2 Protocol',
  matrix: 'enterprise',
};
const GENERATED: Technique = { id: 'T1568.002', name: 'Domain Generation Algorithms', matrix: 'enterprise' };
const RAW: Technique = { id: 'T1095', name: 'Non-Application Layer Protocol', matrix: 'enterprise' };
const STANDARD: Technique = { id: 'T0869', name: 'Standard Application Layer Protocol', matrix: 'ics' };

const MINUTE_US = 60e6;
const MISSING_US = 600e6;
const MAX_TALKS = 256;
const MAX_NAMES = 2048;
const MAX_MISSING = 512;
/** Names in use by people and programs seldom carry more than this beside the domain. */
const ORDINARY_BYTES = 24;
/** A shorter beginning carries nothing. */
const SHORTEST_BYTES = 6;
const PATIENT =
  'A hidden way out of the hospital network can carry patient data away, or commands to a device that looks healthy.';

export default defineDetector({
  id: 'covert-channel',
  version: 1,
  status: 'stable',
  title: 'Hidden channel in DNS or ICMP',
  summary: 'Data travels in the names and answers of DNS or in pings; domains are asked for that a program made up.',
  analytic: 'statistical',
  techniques: [TUNNEL, TUNNELING],
  params: {
    names_60s: {
      default: 25,
      min: 5,
      max: 2048,
      doc: 'Different long names below one domain in 60 seconds, at least.',
    },
    carried_bytes_60s: {
      default: 1000,
      min: 100,
      max: 1_000_000,
      unit: 'bytes',
      doc: 'Bytes that the different names carry beside the domain, or that come back in TXT, NULL and CNAME data.',
    },
    known_factor: {
      default: 8,
      min: 1,
      max: 1000,
      doc: 'The limits are multiplied by this for domains that were learned: some products send hashes in names.',
    },
    missing_domains_600s: {
      default: 30,
      min: 5,
      max: 512,
      doc: 'Different domains that do not exist in 10 minutes, or three times the most while learned.',
    },
    ping_bytes: {
      default: 8192,
      min: 1024,
      max: 1e9,
      unit: 'bytes',
      doc: 'Bytes in the pings of one flow from which it may be a tunnel.',
    },
  },
  create(ctx) {
    const p = ctx.params;
    const dnsOf = ctx.perDevice<Dns>(() => ({
      talks: new Map(),
      missing: new Map(),
      learnedMissing: 0,
      learnedCarried: 0,
      nextMissing: 0,
    }));
    /** Devices that answer DNS for others ask in the name of others, too. */
    const resolvers = ctx.perDevice<{ answers: boolean }>(() => ({ answers: false }));

    function talkOf(dns: Dns, domain: string, nowUs: number): Talk {
      let talk = dns.talks.get(domain);
      if (talk === undefined) {
        if (dns.talks.size >= MAX_TALKS) {
          const oldest = dns.talks.keys().next();
          if (!oldest.done) dns.talks.delete(oldest.value);
        }
        talk = { startUs: nowUs, names: new Set(), long: 0, carried: 0, received: 0, answers: 0, nextTell: 0 };
        dns.talks.set(domain, talk);
      } else if (nowUs - talk.startUs >= MINUTE_US) {
        if (nowUs - talk.startUs >= 10 * MINUTE_US) talk.nextTell = 0;
        talk.startUs = nowUs;
        talk.names.clear();
        talk.long = 0;
        talk.carried = 0;
        talk.received = 0;
        talk.answers = 0;
      }
      return talk;
    }

    function judge(device: DeviceView, domain: string, talk: Talk, server: Endpoint, known: boolean): void {
      const dns = dnsOf(device);
      const nowUs = ctx.nowUs();
      if (device.learning) dns.learnedCarried = Math.max(dns.learnedCarried, talk.carried);
      const factor = known ? p.known_factor : 1;
      // Of a device that is not learned nothing is known to be usual: it takes more to be told.
      const bytes = device.learning
        ? 3 * p.carried_bytes_60s
        : Math.max(p.carried_bytes_60s * factor, Math.min(2 * dns.learnedCarried, 1e6));
      const names = p.names_60s * factor;
      const up = talk.long >= names && talk.carried >= bytes;
      const down = talk.answers >= names && talk.names.size >= names && talk.received >= 2 * bytes;
      if (!up && !down) return;
      const volume = talk.carried + talk.received;
      if (volume < talk.nextTell) return;
      talk.nextTell = volume * 2;
      const who = nameOf(device);
      const where = domain === NO_DOMAIN ? 'that end in no domain' : `below ${domain}`;
      ctx.finding({
        device,
        subject: `dns ${domain}`,
        severity: MEDIUM,
        confidence: known ? 65 : 85,
        tsUs: nowUs,
        firstUs: talk.startUs,
        title: 'Data in DNS names (tunnel)',
        sentence: `${who} asked ${nameOfEndpoint(server)} for ${plural(talk.names.size, 'different name')} ${where} within ${secondsText(nowUs - talk.startUs)}; they carry ${figure(talk.carried)} bytes out, and ${figure(talk.received)} bytes came back.`,
        techniques: [TUNNEL, TUNNELING, EXFILTRATION, STANDARD],
        evidence: [{ src: endpointOf(device), dst: server, service: 'dns' }],
        anomalies: [
          {
            parameter: 'different names below one domain in 60 s',
            expected: `fewer than ${names}`,
            seen: String(talk.names.size),
            pattern: 'ABOVE LIMIT',
          },
          {
            parameter: 'bytes carried by names in 60 s',
            expected: `fewer than ${figure(bytes)}`,
            seen: figure(talk.carried),
            unit: 'bytes',
            pattern: talk.carried >= bytes ? 'ABOVE LIMIT' : 'RELATED',
          },
        ],
        patient: PATIENT,
        advice: [
          `Block ${domain === NO_DOMAIN ? 'DNS to this server' : domain} at the resolver and the firewall.`,
          `Find the program on ${who} that asks for these names; a virus scanner that looks up hashes may be learned as normal.`,
        ],
        caution: [`If ${who} is in use at a patient, block the domain first and deal with the device when it is free.`],
      });
    }

    function judgeMissing(device: DeviceView, server: Endpoint, domain: string, nowUs: number): void {
      const dns = dnsOf(device);
      dns.missing.delete(domain);
      dns.missing.set(domain, nowUs);
      for (const [name, tsUs] of dns.missing) {
        if (nowUs - tsUs <= MISSING_US && dns.missing.size <= MAX_MISSING) break;
        dns.missing.delete(name);
      }
      const n = dns.missing.size;
      const limit = Math.max(p.missing_domains_600s, device.learning ? 0 : 3 * dns.learnedMissing);
      if (device.learning) dns.learnedMissing = Math.min(Math.max(dns.learnedMissing, n), 100);
      if (n < limit) {
        dns.nextMissing = 0;
        return;
      }
      if (n < dns.nextMissing) return;
      dns.nextMissing = n * 2;
      const cls = ctx.classOf(device);
      const severity: Severity = cls.server || cls.infrastructure ? LOW : MEDIUM;
      const samples = [...dns.missing.keys()].slice(-3).join(', ');
      ctx.finding({
        device,
        subject: 'made-up domains',
        severity,
        confidence: 75,
        tsUs: nowUs,
        firstUs: [...dns.missing.values()][0] ?? nowUs,
        title: 'Made-up domains are tried',
        sentence: `${nameOf(device)} asked for ${plural(n, 'domain')} that do not exist within 10 minutes, last ${samples}.`,
        techniques: [GENERATED, STANDARD],
        evidence: [{ src: endpointOf(device), dst: server, service: 'dns' }],
        anomalies: [
          {
            parameter: 'domains that do not exist in 10 min',
            expected: `fewer than ${limit} (most while learned: ${dns.learnedMissing})`,
            seen: String(n),
            pattern: 'ABOVE LIMIT',
          },
        ],
        patient: PATIENT,
        advice: [
          `Examine ${nameOf(device)} for malware that looks for its master under names made up by the day.`,
          'If a name server is broken, all devices show this: look at the others first.',
        ],
      });
    }

    return {
      messageKinds: ['dns.query', 'dns.response'],
      onMessage(message): void {
        const { speaker, listener, flow } = message;
        if (listener === undefined || flow === undefined || listener.isMulticast) return;
        if ((message.number('opcode') ?? 0) !== 0) return;
        const nowUs = ctx.nowUs();
        const isQuery = message.kind === 'dns.query';
        const client = isQuery ? speaker : listener;
        const server = isQuery ? listener : speaker;
        const answering = monitored(server);
        if (!isQuery && answering !== undefined) resolvers(answering).answers = true;
        const device = monitored(client);
        if (device === undefined || resolvers(device).answers) return;
        const name = message.text('name');
        const domain = registeredDomain(name);
        if (domain === undefined) return;
        const whole = message.number('name_length') ?? 0;
        if (!isQuery && message.number('rcode') === 3 && domain !== NO_DOMAIN)
          judgeMissing(device, server, domain, nowUs);
        const beside = whole - (domain === NO_DOMAIN ? 0 : domain.length + 1);
        const domainKey = keyOfText(domain);
        const known = ctx.knows(device, 'domain', domainKey) && !device.learning;
        if (device.learning) ctx.novelty(device, 'domain', domainKey);
        if (beside < SHORTEST_BYTES) return;
        const talk = talkOf(dnsOf(device), domain, nowUs);
        if (isQuery) {
          if (talk.names.size >= MAX_NAMES) return;
          // What was cut off a long name differs when the question is another.
          const cut = name === undefined || name.length < whole;
          const key = keyOf(keyOfText(name ?? ''), whole, cut ? (message.number('id') ?? 0) : 0);
          if (talk.names.has(key)) return;
          talk.names.add(key);
          if (beside < ORDINARY_BYTES) return;
          talk.long++;
          talk.carried += beside;
        } else {
          if ((message.number('data_bytes') ?? 0) === 0) return;
          talk.answers++;
          talk.received += message.number('data_bytes') ?? 0;
        }
        judge(device, domain, talk, keepEndpoint(server), known);
      },
      onFlowEnd(flow): void {
        if (flow.proto !== 'icmp' || !(isEcho(flow.orig.port) || isEcho(flow.resp.port))) return;
        const bytes = flow.origBytes + flow.respBytes;
        const packets = flow.origPkts + flow.respPkts;
        if (bytes < p.ping_bytes || flow.respPkts === 0 || packets < 20) return;
        // An answer repeats its question: what comes back in another length was put there.
        const change = Math.abs(flow.origBytes / flow.origPkts - flow.respBytes / flow.respPkts);
        const differs = change > 16 || (change > 2 && packets >= 200);
        const device = monitored(flow.orig) ?? monitored(flow.resp);
        if (!differs || device === undefined) return;
        ctx.finding({
          device,
          subject: `ping ${flow.resp.key}`,
          severity: MEDIUM,
          confidence: 85,
          tsUs: ctx.nowUs(),
          firstUs: flow.startUs,
          title: 'Data in pings (tunnel)',
          sentence: `${nameOfEndpoint(flow.orig)} and ${nameOfEndpoint(flow.resp)} exchanged ${figure(bytes)} bytes in ${plural(packets, 'ping packet')} whose answers do not repeat their questions.`,
          techniques: [RAW, TUNNELING],
          evidence: [{ src: flow.orig, dst: flow.resp, service: 'icmp' }],
          anomalies: [
            {
              parameter: 'bytes in an answer to a ping',
              expected: figure(flow.origBytes / flow.origPkts),
              seen: figure(flow.respBytes / flow.respPkts),
              unit: 'bytes',
              pattern: 'DIFFERENT',
            },
          ],
          patient: PATIENT,
          advice: [
            `Block ICMP echo between ${nameOfEndpoint(flow.orig)} and ${nameOfEndpoint(flow.resp)}.`,
            'Find the program at either end that answers pings in the place of the system.',
          ],
        });
      },
    };
  },
});

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}

/** Echo request of ICMP and ICMPv6. */
function isEcho(type: number): boolean {
  return type === 8 || type === 128;
}

function secondsText(us: number): string {
  return us < 1e6 ? `${Math.max(1, Math.round(us / 1e3))} ms` : `${figure(us / 1e6)} s`;
}
