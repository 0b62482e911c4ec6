import {
  INFORMATIONAL,
  LOW,
  defineDetector,
  endpointOf,
  keepEndpoint,
  keyOf,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, FlowView, Severity } from '../../src/detect/sdk.ts';

interface Told {
  readonly firstUs: number;
  lastUs: number;
  readonly what: { readonly offers: boolean; readonly name: string; readonly peer: Endpoint }[];
  count: number;
  nextTell: number;
  strongest: Severity;
}

/** Ports from which operating systems draw at random (IANA from 49152, Linux from 32768): one entry for all. */
const DYNAMIC = 32_768;
/** The network's own noise: DHCP, mDNS, LLMNR, SSDP and WS-Discovery answers. */
const CHATTER = new Set([67, 68, 546, 547, 1900, 3702, 5353, 5355]);
/** IANA's dynamic range (RFC 6335): never assigned to a service. */
const IANA_DYNAMIC = 49_152;
/** Below these, ports are those of services. */
const SYSTEM_PORTS = 1024;
/** Classes whose work is media over ports agreed for each call. */
const MEDIA_CLASSES: ReadonlySet<string> = new Set(['voip-phone', 'call-server', 'ip-camera', 'nvr']);
/** A host that spoke SIP or RTSP so recently may have media agreed. */
const MEDIA_US = 86_400e6;
const FTP_CONTROL = 21;
/** FTP data connections may use any port; they belong to a control connection not much older than this. */
const FTP_DATA_US = 600e6;
const MAX_FTP_PAIRS = 4096;
/** A share of new things means something from so many known ones on. */
const MIN_KNOWN = 3;
/** Services through which a host is taken over or administered: worth more on a device that never had them. */
const REMOTE_CONTROL: Readonly<Record<number, string>> = {
  22: 'SSH',
  23: 'Telnet',
  135: 'RPC',
  139: 'SMB',
  445: 'SMB',
  512: 'rexec',
  513: 'rlogin',
  514: 'rsh',
  2323: 'Telnet',
  3389: 'RDP',
  5555: 'ADB',
  5800: 'VNC',
  5900: 'VNC',
  5985: 'WinRM',
  5986: 'WinRM',
};

export default defineDetector({
  id: 'new-service',
  version: 1,
  status: 'stable',
  title: 'New service',
  summary: 'A device answers on, or uses, a port and protocol that it never did.',
  analytic: 'learning',
  techniques: [{ id: 'T0886', name: 'Remote Services', matrix: 'ics' }],
  params: {
    episode_s: {
      default: 600,
      min: 10,
      max: 86_400,
      unit: 's',
      doc: 'New services of a device within this time are told as one.',
    },
    common_in_class: {
      default: 3,
      min: 1,
      max: 1000,
      doc: 'A service that so many devices of the same class have learned is merely informational.',
    },
    usual_new_rate: {
      default: 0.2,
      min: 0,
      max: 1,
      doc: 'Above this Good-Turing chance of a new service, one more is informational.',
    },
  },
  create(ctx) {
    const { episode_s, common_in_class, usual_new_rate } = ctx.params;
    const told = ctx.perDevice<{ now: Told | undefined }>(() => ({ now: undefined }));
    /** When the device last took part in SIP or RTSP. */
    const agreed = ctx.perDevice<{ lastUs: number }>(() => ({ lastUs: -Infinity }));
    /** Last FTP control connection by pair of hosts. */
    const ftp = ctx.site(() => new Map<number, number>());

    /**
     * RTP and RTCP over ports that SDP agreed: unprivileged, even on both sides for RTP and odd for RTCP (RFC 3550
     * section 11). Nothing in the packets says so: the device must be one that agrees such things.
     */
    function isMedia(me: DeviceView, flow: FlowView): boolean {
      const { orig, resp } = flow;
      if (flow.proto !== 'udp' || flow.service !== '') return false;
      if (orig.port < SYSTEM_PORTS || resp.port < SYSTEM_PORTS || ((orig.port ^ resp.port) & 1) === 1) return false;
      return MEDIA_CLASSES.has(me.type) || flow.lastUs - agreed(me).lastUs < MEDIA_US;
    }

    function judge(me: DeviceView, peer: Endpoint, flow: FlowView, offers: boolean): void {
      if (isMedia(me, flow)) return;
      const port = flow.resp.port;
      const dynamic = port >= DYNAMIC;
      const novelty = ctx.novelty(me, offers ? 'offers' : 'uses', keyOf(dynamic ? DYNAMIC : port, flow.ipProto));
      if (!novelty.isNew) return;
      const cls = ctx.classOf(me);
      const control = flow.proto === 'tcp' ? REMOTE_CONTROL[port] : undefined;
      const expected =
        novelty.sameClass >= common_in_class ||
        (!offers && novelty.site >= common_in_class) ||
        (dynamic && control === undefined) ||
        (!offers && (cls.interactive || cls.infrastructure)) ||
        (novelty.known >= MIN_KNOWN && novelty.newRate > usual_new_rate);
      const severity: Severity = expected ? INFORMATIONAL : LOW;
      const entry = told(me);
      const nowUs = flow.lastUs;
      let episode = entry.now;
      if (episode === undefined || nowUs - episode.lastUs > episode_s * 1e6) {
        episode = { firstUs: flow.startUs, lastUs: nowUs, what: [], count: 0, nextTell: 1, strongest: severity };
        entry.now = episode;
      }
      episode.lastUs = nowUs;
      episode.count++;
      if (severity > episode.strongest) {
        episode.strongest = severity;
        episode.nextTell = episode.count;
      }
      const name = `${control ?? (flow.service !== '' ? flow.service.toUpperCase() : 'port')} ${flow.proto}/${port}`;
      if (episode.what.length < 16) episode.what.push({ offers, name, peer: keepEndpoint(peer) });
      if (episode.count < episode.nextTell) return;
      episode.nextTell = episode.count * 2;
      const who = nameOf(me);
      const sentence =
        episode.count > 1
          ? `${who} offered or used ${plural(episode.count, 'service')} it never had: ${[...new Set(episode.what.map((w) => w.name))].slice(0, 6).join(', ')}.`
          : offers
            ? `${who} answered ${nameOfEndpoint(peer)} on ${name}, where it never answered before.`
            : `${who} used ${name} at ${nameOfEndpoint(peer)}, a service it never used before.`;
      const mine = endpointOf(me);
      ctx.finding({
        device: me,
        subject: 'services',
        severity: episode.strongest,
        confidence: control !== undefined && offers && cls.medical ? 80 : 60,
        tsUs: nowUs,
        firstUs: episode.firstUs,
        title:
          episode.count > 1 ? `${episode.count} new services` : offers ? 'New service offered' : 'New service used',
        sentence,
        evidence: [...episode.what]
          .reverse()
          .map((w) =>
            w.offers ? { src: w.peer, dst: mine, service: w.name } : { src: mine, dst: w.peer, service: w.name },
          ),
        anomalies: [
          {
            parameter: offers ? 'service offered' : 'service used',
            expected: `one of ${plural(novelty.known, 'learned service')}`,
            seen: name,
            learned: novelty.known,
            pattern: 'NEW',
          },
          {
            parameter: 'devices of the same class with this service',
            expected: `${common_in_class} or more`,
            seen: String(novelty.sameClass),
            pattern: 'RARE',
          },
        ],
        ...(cls.medical && control !== undefined
          ? { patient: `Through ${control} the device's settings or data can be changed by whoever reaches it.` }
          : {}),
        advice: ['Ask whether the device was serviced, updated or given a new task; if so, learn the service.'],
      });
    }

    return {
      messageKinds: ['sip.*', 'rtsp.*'],
      onMessage(message): void {
        for (const end of [message.speaker, message.listener])
          if (end?.device !== undefined && !end.isRemote) agreed(end.device).lastUs = ctx.nowUs();
      },
      onFlowEstablished(flow): void {
        const { orig, resp, proto } = flow;
        if ((proto !== 'tcp' && proto !== 'udp') || resp.isMulticast) return;
        if (proto === 'udp' && (CHATTER.has(resp.port) || CHATTER.has(orig.port))) return;
        const pair = keyOf(Math.min(orig.key, resp.key), Math.max(orig.key, resp.key));
        if (proto === 'tcp') {
          if (resp.port === FTP_CONTROL || flow.service === 'ftp') {
            if (ftp.size >= MAX_FTP_PAIRS) ftp.clear();
            ftp.set(pair, flow.lastUs);
          } else if (resp.port >= 1024 || orig.port === 20) {
            const since = ftp.get(pair);
            if (since !== undefined && flow.lastUs - since < FTP_DATA_US) return;
          }
          if (resp.port >= IANA_DYNAMIC && orig.port >= SYSTEM_PORTS) return;
        } else if (resp.port >= DYNAMIC) return;
        const a = orig.device;
        if (a !== undefined && !a.isGateway && !orig.isRemote) judge(a, resp, flow, false);
        const b = resp.device;
        if (b !== undefined && !b.isGateway && !resp.isRemote) judge(b, orig, flow, true);
      },
    };
  },
});
