import { LOW, MEDIUM, defineDetector, endpointOf, nameOf, plural } from '../../src/detect/sdk.ts';
import type { DeviceView, Severity } from '../../src/detect/sdk.ts';

interface Starts {
  /** A lease was confirmed since the last start: the next DISCOVER is another start, not a repeated question. */
  leased: boolean;
  /** Moments of starts within the window. */
  readonly times: number[];
  /** Most starts within a window while learning. */
  learned: number;
  toldUs: number;
}

const MAX_TIMES = 64;

export default defineDetector({
  id: 'reboot-loop',
  version: 1,
  status: 'stable',
  title: 'Device starts again and again',
  summary: 'A device that has an address asks for one as if it had just been switched on, several times in a row.',
  analytic: 'rule',
  techniques: [
    { id: 'T0816', name: 'Device Restart/Shutdown', matrix: 'ics' },
    { id: 'T0814', name: 'Denial of Service', matrix: 'ics' },
    { id: 'T1529', name: 'System Shutdown/Reboot', matrix: 'enterprise' },
  ],
  params: {
    starts: { default: 4, min: 2, max: 60, doc: 'Starts within the window, at least twice the most that was learned.' },
    window_s: { default: 900, min: 60, max: 86_400, unit: 's', doc: 'Within this time.' },
  },
  create(ctx) {
    const { starts, window_s } = ctx.params;
    const startsOf = ctx.perDevice<Starts>(() => ({ leased: false, times: [], learned: 0, toldUs: 0 }));

    function started(device: DeviceView, nowUs: number): void {
      const s = startsOf(device);
      if (!s.leased) return;
      s.leased = false;
      s.times.push(nowUs);
      while (s.times.length > MAX_TIMES || nowUs - s.times[0]! > window_s * 1e6) s.times.shift();
      const n = s.times.length;
      if (device.learning) s.learned = Math.max(s.learned, n);
      const limit = Math.max(starts, device.learning ? 0 : 2 * s.learned);
      if (n < limit || nowUs - s.toldUs < window_s * 1e6) return;
      s.toldUs = nowUs;
      const cls = ctx.classOf(device);
      const severity: Severity = cls.medical && !cls.interactive ? MEDIUM : LOW;
      const span = Math.round((nowUs - s.times[0]!) / 1e6);
      ctx.finding({
        device,
        subject: 'starts',
        severity,
        confidence: 75,
        tsUs: nowUs,
        firstUs: s.times[0]!,
        title: 'Device starts again and again',
        sentence: `${nameOf(device)} asked for an address as if just switched on ${plural(n, 'time')} within ${span} s, although it was given one each time.`,
        evidence: [{ src: endpointOf(device), dst: undefined, service: 'dhcp' }],
        anomalies: [
          {
            parameter: `starts in ${window_s} s`,
            expected: `fewer than ${limit}`,
            seen: String(n),
            pattern: 'ABOVE LIMIT',
          },
        ],
        ...(cls.medical
          ? { patient: 'While it starts, the device watches or treats nobody, and its alarms are silent.' }
          : {}),
        advice: [
          'Look at the device at the bedside and have a replacement ready.',
          'Look for what reached it just before each start: floods, scans and malformed messages restart small devices.',
        ],
        caution: ['Do not go on restarting it from afar.'],
      });
    }

    return {
      messageKinds: ['dhcp.message'],
      onMessage(message): void {
        const device = message.speaker.device;
        const mac = message.text('mac');
        if (device === undefined || mac === undefined) return;
        const type = message.text('message_type');
        if (type === 'ACK') {
          const client = ctx.deviceBeside(device, mac);
          if (client !== undefined) startsOf(client).leased = true;
        } else if (type === 'DISCOVER' && device.mac === mac && !device.isGateway) started(device, ctx.nowUs());
      },
      onUnobserved(): void {
        for (const device of ctx.devices()) startsOf(device).times.length = 0;
      },
    };
  },
});
