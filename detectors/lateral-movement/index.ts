import { LOW, MEDIUM, defineDetector, keepEndpoint, keyOf, nameOf, plural } from '../../src/detect/sdk.ts';
import type { Endpoint, Severity } from '../../src/detect/sdk.ts';

interface Spread {
  readonly service: string;
  /** Hosts entered that are new to the device, with the time. */
  readonly targets: Map<number, { readonly end: Endpoint; readonly tsUs: number }>;
  told: number;
  toldUs: number;
}

/** Services by which one enters another host. */
const ENTRIES: Readonly<Record<number, string>> = {
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
  5900: 'VNC',
  5985: 'WinRM',
  5986: 'WinRM',
};
const MAX_TARGETS = 128;

export default defineDetector({
  id: 'lateral-movement',
  version: 1,
  status: 'stable',
  title: 'Spread to other hosts',
  summary: 'A device enters several hosts by SMB, RDP, SSH, WinRM, VNC or Telnet that it never entered before.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T0886', name: 'Remote Services', matrix: 'ics' },
    { id: 'T1021', name: 'Remote Services', matrix: 'enterprise' },
  ],
  params: {
    hosts: {
      default: 4,
      min: 2,
      max: 100,
      doc: 'New hosts entered by one service within the window from which it is told.',
    },
    fixed_hosts: {
      default: 3,
      min: 1,
      max: 100,
      doc: 'The same for devices that are not used by people, do not serve others and never used the service.',
    },
    unlearned_hosts: { default: 12, min: 2, max: 128, doc: 'The same while the device is not learned.' },
    window_s: { default: 600, min: 10, max: 86_400, unit: 's', doc: 'Within this time.' },
  },
  create(ctx) {
    const { hosts, fixed_hosts, unlearned_hosts, window_s } = ctx.params;
    const spreads = ctx.perDevice<Map<string, Spread>>(() => new Map());

    return {
      onFlowEstablished(flow): void {
        if (flow.proto !== 'tcp' || !flow.fromStart) return;
        const { orig, resp } = flow;
        const service = ENTRIES[resp.port];
        const device = orig.device;
        if (service === undefined || device === undefined || orig.isRemote || device.isGateway) return;
        const code = service.charCodeAt(0) * 256 + service.charCodeAt(1);
        const usedBefore = ctx.knows(device, 'service', code);
        if (device.learning) ctx.novelty(device, 'service', code);
        const novelty = ctx.novelty(device, 'entered', keyOf(resp.key, code));
        if (!device.learning && !novelty.isNew) return;
        const all = spreads(device);
        let s = all.get(service);
        if (s === undefined) {
          s = { service, targets: new Map(), told: 0, toldUs: 0 };
          all.set(service, s);
        }
        const nowUs = flow.lastUs;
        for (const [key, t] of s.targets) {
          if (nowUs - t.tsUs <= window_s * 1e6) break;
          s.targets.delete(key);
        }
        if (s.targets.has(resp.key) || s.targets.size >= MAX_TARGETS) return;
        s.targets.set(resp.key, { end: keepEndpoint(resp), tsUs: nowUs });
        const cls = ctx.classOf(device);
        const fixed =
          !usedBefore && device.type !== 'unknown' && !cls.interactive && !cls.server && !cls.infrastructure;
        const limit = device.learning ? unlearned_hosts : fixed ? fixed_hosts : hosts;
        const n = s.targets.size;
        if (n < limit) return;
        if (nowUs - s.toldUs > window_s * 1e6) s.told = 0;
        if (n < s.told * 2) return;
        s.told = n;
        s.toldUs = nowUs;
        // Management and a site that is still being learned do this by trade.
        const severity: Severity = cls.infrastructure || (cls.server && usedBefore) ? LOW : MEDIUM;
        const shown = [...s.targets.values()].reverse().slice(0, 16);
        const names = shown.slice(0, 3).map((t) => (t.end.device === undefined ? t.end.ip : nameOf(t.end.device)));
        ctx.finding({
          device,
          subject: `${service} to many`,
          severity,
          confidence: Math.min(92, 60 + 5 * n + (usedBefore ? 0 : 10)),
          tsUs: nowUs,
          firstUs: [...s.targets.values()][0]!.tsUs,
          title: `Spread by ${service}`,
          sentence: `${nameOf(device)} entered ${plural(n, 'host')} by ${service} that it never entered before, last ${names.join(', ')}${usedBefore ? '' : '; it never used this service'}.`,
          evidence: shown.map((t) => ({ src: orig, dst: t.end, service: service.toLowerCase() })),
          anomalies: [
            {
              parameter: `new hosts entered by ${service} in ${window_s} s`,
              expected: `fewer than ${limit}`,
              seen: String(n),
              learned: novelty.known,
              pattern: 'FAN-OUT',
            },
            {
              parameter: 'service',
              expected: usedBefore ? 'used before' : 'never used',
              seen: service,
              pattern: usedBefore ? 'KNOWN' : 'NEW',
            },
          ],
          patient:
            'Malware that spreads like this has stopped whole hospitals; medical devices are often the least protected.',
          advice: [
            `Ask who works on ${nameOf(device)}; administration from a known station explains it.`,
            'If nobody does, isolate the host from which it spreads, then look at each host it entered.',
          ],
          caution: ['Do not cut off the medical devices that were entered while they are in use; isolate the source.'],
        });
      },
    };
  },
});
