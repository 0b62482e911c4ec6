import { LOW, defineDetector, keepEndpoint, nameOf, nameOfEndpoint, plural } from '../../src/detect/sdk.ts';
import type { Endpoint } from '../../src/detect/sdk.ts';

/** Logins at one device. */
interface Hours {
  firstUs: number;
  /** By hour of the day in UTC: on how many days there was a login. */
  readonly days: number[];
  /** Number of the day that was counted last, by hour. */
  readonly lastDay: number[];
  /** Days with a login. */
  total: number;
  lastDayAny: number;
}

const DAY_US = 86_400e6;
const HOUR_US = 3600e6;

export default defineDetector({
  id: 'odd-hours',
  version: 1,
  status: 'stable',
  title: 'Login at an unusual hour',
  summary: 'Somebody logs in at a device at an hour of the day at which nobody ever did.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T0859', name: 'Valid Accounts', matrix: 'ics' },
    { id: 'T1078', name: 'Valid Accounts', matrix: 'enterprise' },
  ],
  params: {
    learned_days: {
      default: 7,
      min: 7,
      max: 90,
      unit: 'days',
      doc: 'Nothing is told before the logins of a device were watched for so long.',
    },
    login_days: { default: 5, min: 2, max: 90, unit: 'days', doc: 'Days with a login before its hours say anything.' },
    margin_h: { default: 2, min: 0, max: 6, unit: 'h', doc: 'Hours beside a usual one that are usual as well.' },
  },
  create(ctx) {
    const { learned_days, login_days, margin_h } = ctx.params;
    const hoursOf = ctx.perDevice<Hours>(() => ({
      firstUs: 0,
      days: new Array<number>(24).fill(0),
      lastDay: new Array<number>(24).fill(-1),
      total: 0,
      lastDayAny: -1,
    }));

    function onLogin(client: Endpoint, server: Endpoint, service: string): void {
      const device = server.device;
      if (device === undefined || server.isRemote || device.isGateway) return;
      const nowUs = ctx.nowUs();
      const h = hoursOf(device);
      if (h.firstUs === 0) h.firstUs = nowUs;
      const hour = Math.floor(nowUs / HOUR_US) % 24;
      const day = Math.floor(nowUs / DAY_US);
      let near = 0;
      for (let d = -margin_h; d <= margin_h; d++) near += h.days[(hour + d + 24) % 24]!;
      const usual = h.total;
      if (h.lastDay[hour] !== day) {
        h.lastDay[hour] = day;
        h.days[hour] = h.days[hour]! + 1;
      }
      if (h.lastDayAny !== day) {
        h.lastDayAny = day;
        h.total++;
      }
      if (near > 0 || usual < login_days || nowUs - h.firstUs < learned_days * DAY_US) return;
      const known = h.days.flatMap((n, i) => (n > 0 && i !== hour ? [String(i)] : [])).join(', ');
      ctx.finding({
        device,
        subject: `login at hour ${hour}`,
        severity: LOW,
        confidence: Math.min(80, 40 + 2 * usual),
        tsUs: nowUs,
        firstUs: nowUs,
        title: 'Login at an unusual hour',
        sentence: `${nameOfEndpoint(client)} logged in at ${nameOf(device)} by ${service} in hour ${hour} (UTC); on ${plural(usual, 'day')} with logins there was none within ${plural(margin_h, 'hour')} of it.`,
        evidence: [{ src: keepEndpoint(client), dst: keepEndpoint(server), service: service.toLowerCase() }],
        anomalies: [
          {
            parameter: 'hours of the day with logins (UTC)',
            expected: known,
            seen: String(hour),
            learned: usual,
            pattern: 'NEW',
          },
        ],
        advice: [`Ask who worked on ${nameOf(device)} at that time, and with which account.`],
        caution: ['Emergencies do not keep hours: ask before an account is locked.'],
      });
    }

    return {
      messageKinds: ['telnet.login', 'ftp.login', 'ssh.encrypted', 'vnc.auth', 'rdp.response', 'smb.session'],
      onMessage(message): void {
        const { flow } = message;
        if (flow === undefined) return;
        const { orig, resp } = flow;
        switch (message.kind) {
          case 'telnet.login':
            if (message.text('outcome') === 'accepted') onLogin(orig, resp, 'Telnet');
            break;
          case 'ftp.login':
            if (message.number('ok') === 1) onLogin(orig, resp, 'FTP');
            break;
          case 'vnc.auth':
            if (message.number('ok') === 1) onLogin(orig, resp, 'VNC');
            break;
          case 'smb.session':
            if (message.number('ok') === 1 && message.number('guest') !== 1) onLogin(orig, resp, 'SMB');
            break;
          case 'rdp.response':
            if (message.number('failure') === undefined) onLogin(orig, resp, 'RDP');
            break;
          default:
            onLogin(orig, resp, 'SSH');
        }
      },
    };
  },
});
