import { INFORMATIONAL, LOW, defineDetector, endpointOf, nameOf } from '../../src/detect/sdk.ts';
import type { DeviceView } from '../../src/detect/sdk.ts';

const MAX_WAITING = 4096;

export default defineDetector({
  id: 'new-device',
  version: 1,
  status: 'stable',
  title: 'Unknown device',
  summary: 'A device appears in a segment whose devices are known.',
  analytic: 'learning',
  techniques: [{ id: 'T0864', name: 'Transient Cyber Asset', matrix: 'ics' }],
  params: {
    wait_s: {
      default: 10,
      min: 0,
      max: 600,
      unit: 's',
      doc: 'Told so long after its first frame: by then it has mostly said who it is.',
    },
  },
  create(ctx) {
    const waitUs = ctx.params.wait_s * 1e6;
    const waiting = ctx.site((): DeviceView[] => []);
    /** Segments with a device that is known, and when the others were last asked about. */
    const known = ctx.site(() => new Set<string>());
    const askedUs = ctx.site(() => new Map<string, number>());

    /** Whether anything is known of the segment: everything is new in one that is being learned. */
    function settled(device: DeviceView): boolean {
      if (known.has(device.vlan)) return true;
      // The end of learning is told; those who had learned before it could be are looked for once in a while.
      const nowUs = ctx.nowUs();
      if (nowUs - (askedUs.get(device.vlan) ?? -Infinity) < 60e6) return false;
      askedUs.set(device.vlan, nowUs);
      for (const other of ctx.devices())
        if (other !== device && other.vlan === device.vlan && !other.learning) {
          known.add(device.vlan);
          return true;
        }
      return false;
    }

    return {
      onLearned(device): void {
        known.add(device.vlan);
      },
      onDevice(device): void {
        if (device.learning && waiting.length < MAX_WAITING && settled(device)) waiting.push(device);
      },
      onSecond(nowUs): void {
        while (waiting.length > 0 && waiting[0]!.firstUs + waitUs <= nowUs) {
          const device = waiting.shift()!;
          if (device.isGateway) continue;
          const random = device.mac !== '' && (Number.parseInt(device.mac.slice(1, 2), 16) & 2) !== 0;
          ctx.finding({
            device,
            subject: 'appeared',
            severity: random ? INFORMATIONAL : LOW,
            confidence: random ? 40 : 70,
            tsUs: nowUs,
            firstUs: device.firstUs,
            title: random ? 'Device with a private address' : 'Unknown device',
            sentence: `${nameOf(device)} (${device.mac || 'no hardware address'}${device.vendor === '' ? '' : `, ${device.vendor}`}) is in VLAN ${device.vlan || 'untagged'} for the first time.`,
            evidence: [{ src: endpointOf(device), dst: undefined }],
            anomalies: [
              {
                parameter: 'device',
                expected: 'one of the known devices of the segment',
                seen: device.mac || device.ip,
                pattern: 'NEW',
              },
            ],
            advice: [
              random
                ? 'A randomised address: usually a phone or laptop. Clinical segments should not take them.'
                : 'Ask clinical engineering whether a device was added. If so, confirm it in the inventory.',
              'If nobody knows it, find its switch port.',
            ],
            caution: ['It may already be connected to a patient: look before its port is switched off.'],
          });
        }
      },
    };
  },
});
