import {
  HIGH,
  MEDIUM,
  defineDetector,
  keepEndpoint,
  keyOf,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, FlowView, Severity } from '../../src/detect/sdk.ts';

/** Failed logins of one client with one service. */
interface Attempts {
  readonly service: string;
  readonly times: number[];
  readonly targets: Map<number, { end: Endpoint; n: number }>;
  /** Most in a whole minute while learning. */
  learned: number;
  minuteUs: number;
  inMinute: number;
  told: number;
  toldUs: number;
  /** Failures since the last success, for "and then got in". */
  sinceSuccess: number;
}

const MAX_TIMES = 128;
const MAX_TARGETS = 64;
const MAX_CLIENTS = 4096;
/** NT statuses of a session setup that say: name, password or account refused. */
const LOGON_FAILURES = new Set([
  0xc000006d, 0xc000006a, 0xc0000064, 0xc000006e, 0xc000006f, 0xc0000070, 0xc0000071, 0xc0000072, 0xc0000193,
  0xc0000224, 0xc0000234, 0xc000015b, 0xc0000022,
]);
/** Services whose logins are encrypted or not understood: a session too short for work is a refused login. */
const LOGIN_PORTS: Readonly<Record<number, string>> = {
  22: 'SSH',
  23: 'Telnet',
  2323: 'Telnet',
  3389: 'RDP',
  5900: 'VNC',
  5901: 'VNC',
  5985: 'WinRM',
  5986: 'WinRM',
};
const SHORT_US = 12e6;
/** A key exchange and a few refused passwords: about 5 kB by SSH, 8 kB with post-quantum keys or by RDP. */
const SHORT_BYTES = 12_000;

export default defineDetector({
  id: 'brute-force',
  version: 1,
  status: 'stable',
  title: 'Password guessing',
  summary: 'A host logs in again and again and is refused, at one device or at many.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T0812', name: 'Default Credentials', matrix: 'ics' },
    { id: 'T1110', name: 'Brute Force', matrix: 'enterprise' },
  ],
  params: {
    failures_60s: {
      default: 8,
      min: 3,
      max: 1000,
      doc: 'Refused logins of a client with one service within a minute.',
    },
    failures_3600s: { default: 30, min: 3, max: 128, doc: 'The same within an hour: slow guessing.' },
    short_sessions_60s: {
      default: 12,
      min: 4,
      max: 1000,
      doc: 'Login sessions too short for work within a minute, where logins cannot be read (SSH, RDP, VNC, Telnet).',
    },
    learned_factor: { default: 3, min: 1, max: 100, doc: 'Least ratio to the most that was seen while learning.' },
  },
  create(ctx) {
    const { failures_60s, failures_3600s, short_sessions_60s, learned_factor } = ctx.params;
    const clients = ctx.site(() => new Map<number, Attempts>());

    function attemptsOf(client: Endpoint, service: string, kind: number): Attempts {
      const key = keyOf(client.key, kind, service.charCodeAt(0) * 256 + service.charCodeAt(1));
      let a = clients.get(key);
      if (a === undefined) {
        if (clients.size >= MAX_CLIENTS) {
          const oldest = clients.keys().next();
          if (!oldest.done) clients.delete(oldest.value);
        }
        a = {
          service,
          times: [],
          targets: new Map(),
          learned: 0,
          minuteUs: 0,
          inMinute: 0,
          told: 0,
          toldUs: 0,
          sinceSuccess: 0,
        };
        clients.set(key, a);
      }
      return a;
    }

    function failed(client: Endpoint, server: Endpoint, service: string, short: boolean): void {
      const device = actorOf(client, server);
      if (device === undefined) return;
      const nowUs = ctx.nowUs();
      const a = attemptsOf(client, service, short ? 2 : 1);
      a.times.push(nowUs);
      if (a.times.length > MAX_TIMES) a.times.shift();
      a.sinceSuccess++;
      const target = a.targets.get(server.key);
      if (target !== undefined) target.n++;
      else if (a.targets.size < MAX_TARGETS) a.targets.set(server.key, { end: keepEndpoint(server), n: 1 });
      let minute = 0;
      let hour = 0;
      let firstUs = nowUs;
      for (let i = a.times.length - 1; i >= 0; i--) {
        const t = a.times[i]!;
        if (t < nowUs - 3600e6) break;
        hour++;
        if (t >= nowUs - 60e6) minute++;
        firstUs = t;
      }
      // What is refused all the time, an outdated password in a service, is habit; the burst at hand is not.
      if (nowUs - a.minuteUs > 60e6) {
        if (device.learning && a.inMinute > a.learned) a.learned = a.inMinute;
        a.minuteUs = nowUs;
        a.inMinute = 0;
      }
      a.inMinute++;
      const usual = a.learned * learned_factor;
      const fast = minute >= Math.max(short ? short_sessions_60s : failures_60s, usual);
      const slow = !short && hour >= Math.max(failures_3600s, usual * 60);
      if (!fast && !slow) return;
      if (nowUs - a.toldUs > 600e6) a.told = 0;
      const n = fast ? minute : hour;
      if (n < a.told * 2) return;
      a.told = n;
      a.toldUs = nowUs;
      say(device, client, a, fast ? a.times[a.times.length - minute]! : firstUs, n, short, MEDIUM, false);
    }

    function succeeded(client: Endpoint, server: Endpoint, service: string): void {
      const device = actorOf(client, server);
      if (device === undefined) return;
      const a = attemptsOf(client, service, 1);
      const before = a.sinceSuccess;
      a.sinceSuccess = 0;
      // Only the guesser of a minute ago is meant, not the person who comes back tomorrow.
      if (a.told === 0 || before < failures_60s || ctx.nowUs() - a.times.at(-1)! > 120e6) return;
      if (!a.targets.has(server.key)) return;
      say(device, client, a, a.times[0]!, before, false, HIGH, true);
    }

    function say(
      device: DeviceView,
      client: Endpoint,
      a: Attempts,
      firstUs: number,
      n: number,
      short: boolean,
      severity: Severity,
      gotIn: boolean,
    ): void {
      const nowUs = ctx.nowUs();
      const targets = [...a.targets.values()].sort((x, y) => y.n - x.n);
      const seconds = Math.max(1, Math.round((nowUs - firstUs) / 1e6));
      const at = targets.length === 1 ? nameOfEndpoint(targets[0]!.end) : plural(targets.length, 'host');
      const who = client.device !== undefined && !client.isRemote ? nameOf(client.device) : client.ip;
      ctx.finding({
        device,
        subject: `${a.service} logins`,
        severity,
        confidence: Math.min(97, (short ? 65 : 80) + n),
        tsUs: nowUs,
        firstUs,
        title: gotIn
          ? 'Login after many failed attempts'
          : targets.length > 2
            ? 'Password spraying'
            : 'Password guessing',
        sentence: gotIn
          ? `${who} was let in by ${a.service} at ${at} after ${plural(n, 'refused login')}.`
          : short
            ? `${who} opened ${n} ${a.service} sessions too short for work at ${at} within ${seconds} s.`
            : `${who} was refused ${plural(n, 'time')} by ${a.service} at ${at} within ${seconds} s.`,
        evidence: targets.slice(0, 16).map((t) => ({ src: client, dst: t.end, service: a.service.toLowerCase() })),
        anomalies: [
          {
            parameter: short ? 'short login sessions' : 'refused logins',
            expected: `fewer than ${short ? short_sessions_60s : failures_60s} a minute${a.learned > 0 ? ` (most while learning: ${a.learned})` : ''}`,
            seen: `${n} in ${seconds} s`,
            pattern: 'ABOVE LIMIT',
          },
          {
            parameter: 'hosts',
            expected: '1',
            seen: String(targets.length),
            pattern: targets.length > 1 ? 'FAN-OUT' : 'REPEATED',
          },
        ],
        patient: 'Whoever guesses the password of a medical device can change its settings, alarms or data.',
        advice: [
          `Ask who uses ${who}; a technician who mistypes stops after a few attempts.`,
          gotIn
            ? 'Treat the account as known to the intruder: change it, and check the settings of the device.'
            : 'Check that the device has no default or maker password.',
        ],
        caution: ['Do not lock the device out of the network while it is in use; stop the guessing host instead.'],
      });
    }

    /** The client where it is monitored, else the server. */
    function actorOf(client: Endpoint, server: Endpoint): DeviceView | undefined {
      if (client.device !== undefined && !client.isRemote && !client.device.isGateway) return client.device;
      return server.device !== undefined && !server.isRemote && !server.device.isGateway ? server.device : undefined;
    }

    return {
      messageKinds: ['telnet.login', 'ftp.login', 'smb.session', 'http.response'],
      onMessage(message): void {
        const flow = message.flow;
        if (flow === undefined) return;
        const { orig, resp } = flow;
        switch (message.kind) {
          case 'telnet.login': {
            const outcome = message.text('outcome');
            if (outcome === 'failed') failed(orig, resp, 'Telnet', false);
            else if (outcome === 'accepted') succeeded(orig, resp, 'Telnet');
            break;
          }
          case 'ftp.login':
            if (message.number('ok') === 0) failed(orig, resp, 'FTP', false);
            else succeeded(orig, resp, 'FTP');
            break;
          case 'smb.session': {
            const status = message.number('status') ?? 0;
            if (LOGON_FAILURES.has(status)) failed(orig, resp, 'SMB', false);
            else if (message.number('ok') === 1) succeeded(orig, resp, 'SMB');
            break;
          }
          default:
            // 401 opens every authentication by Negotiate or NTLM: there it is no refusal.
            if (message.number('status') !== 401) break;
            if (!/negotiate|ntlm/.test(message.text('www_authenticate') ?? '')) failed(orig, resp, 'HTTP', false);
        }
      },
      onFlowEnd(flow: FlowView): void {
        if (flow.proto !== 'tcp' || !flow.fromStart || !flow.established) return;
        const service = LOGIN_PORTS[flow.resp.port] ?? (flow.service === 'ssh' ? 'SSH' : undefined);
        if (service === undefined) return;
        if (flow.lastUs - flow.startUs > SHORT_US) return;
        // Something must have been said by both: an open port that was merely tried is a scan.
        if (flow.origBytes < 16 || flow.respBytes < 16) return;
        if (flow.origBytes + flow.respBytes > SHORT_BYTES) return;
        failed(flow.orig, flow.resp, service, true);
      },
    };
  },
});
