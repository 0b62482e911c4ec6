import { LOW, MEDIUM, defineDetector, endpointOf, nameOf, plural } from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint } from '../../src/detect/sdk.ts';

interface Segment {
  /** Hardware addresses and server identifiers that are known to give addresses. */
  readonly servers: Set<string>;
  /** Clients that asked within the running minute. */
  readonly clients: Set<string>;
  minuteUs: number;
  toldUs: number;
}

const MAX_SEGMENTS = 4096;
const MAX_SERVERS = 256;
const MAX_CLIENTS = 4096;
const ANSWERS = new Set(['OFFER', 'ACK', 'NAK', 'BOOTREPLY', 'ADVERTISE', 'REPLY', 'RECONFIGURE']);

export default defineDetector({
  id: 'rogue-dhcp',
  version: 1,
  status: 'stable',
  title: 'Rogue DHCP server',
  summary: 'Addresses are given out by a host that is no known DHCP server, or asked for by very many clients at once.',
  analytic: 'rule',
  techniques: [
    { id: 'T0830', name: 'Adversary-in-the-Middle', matrix: 'ics' },
    { id: 'T1557.003', name: 'DHCP Spoofing', matrix: 'enterprise' },
  ],
  params: {
    starvation_60s: {
      default: 100,
      min: 10,
      max: 4096,
      doc: 'Different client addresses asking from a segment within a minute, mostly unknown ones, that are told as starvation.',
    },
  },
  create(ctx) {
    const segments = ctx.site(() => new Map<string, Segment>());

    function segmentOf(vlan: string): Segment | undefined {
      let segment = segments.get(vlan);
      if (segment === undefined) {
        if (segments.size >= MAX_SEGMENTS) return undefined;
        segment = { servers: new Set(), clients: new Set(), minuteUs: 0, toldUs: 0 };
        segments.set(vlan, segment);
      }
      return segment;
    }

    function settled(device: DeviceView): boolean {
      for (const other of ctx.devices())
        if (other !== device && other.vlan === device.vlan && !other.learning) return true;
      return false;
    }

    function starved(device: DeviceView, self: Endpoint, segment: Segment, client: string): void {
      const nowUs = ctx.nowUs();
      if (nowUs - segment.minuteUs > 60e6) {
        segment.minuteUs = nowUs;
        segment.clients.clear();
      }
      if (segment.clients.size < MAX_CLIENTS) segment.clients.add(client);
      if (segment.clients.size < ctx.params.starvation_60s || nowUs - segment.toldUs < 300e6) return;
      const devices = [...ctx.devices()].filter((d) => d.vlan === device.vlan && !d.learning).length;
      // After a power cut everybody asks at once; that is not more clients than there are devices.
      if (segment.clients.size < 2 * devices) return;
      segment.toldUs = nowUs;
      ctx.finding({
        device,
        subject: 'starvation',
        severity: MEDIUM,
        confidence: 80,
        tsUs: nowUs,
        firstUs: segment.minuteUs,
        title: 'DHCP starvation',
        sentence: `${plural(segment.clients.size, 'different client')} asked for addresses within ${Math.round((nowUs - segment.minuteUs) / 1e6)} s in a segment of ${plural(devices, 'known device')}.`,
        techniques: [{ id: 'T0814', name: 'Denial of Service', matrix: 'ics' }],
        evidence: [{ src: self, dst: undefined, service: 'dhcp' }],
        anomalies: [
          {
            parameter: 'DHCP clients in 60 s',
            expected: `at most ${2 * devices}`,
            seen: String(segment.clients.size),
            pattern: 'ABOVE LIMIT',
          },
        ],
        patient: 'When no addresses are left, devices that are moved or restarted come back without a network.',
        advice: ['Find the switch port from which the requests come; limit DHCP on access ports.'],
      });
    }

    return {
      messageKinds: ['dhcp.message', 'dhcpv6.message'],
      onMessage(message): void {
        const speaker = message.speaker;
        const device = speaker.device;
        if (device === undefined) return;
        const type = message.text('message_type') ?? '';
        const v6 = message.kind === 'dhcpv6.message';
        // Who serves both gives them separately: the known servers of one say nothing of the other.
        const segment = segmentOf(v6 ? `${device.vlan} v6` : device.vlan);
        if (segment === undefined) return;
        if (type === 'DISCOVER' || type === 'BOOTREQUEST' || type === 'SOLICIT') {
          const client = message.text(v6 ? 'client_mac' : 'mac');
          if (client !== undefined) starved(device, endpointOf(device), segment, client);
          return;
        }
        if (!ANSWERS.has(type)) return;
        const id = (v6 ? message.text('server_mac') : message.text('server_id')) ?? speaker.ip;
        if (segment.servers.has(device.mac) && segment.servers.has(id)) return;
        // A relay passes on what a known server said.
        const relay = message.text('relay_ip') ?? '';
        const relayed = v6 ? (message.number('relays') ?? 0) > 0 : relay !== '' && relay !== '0.0.0.0';
        const known = segment.servers.size > 0;
        if ((device.learning && !settled(device)) || (relayed && segment.servers.has(id))) {
          if (segment.servers.size < MAX_SERVERS) segment.servers.add(device.mac).add(id);
          return;
        }
        if (segment.servers.size < MAX_SERVERS) segment.servers.add(device.mac).add(id);
        const nowUs = ctx.nowUs();
        const given = message.text(v6 ? 'address' : 'your_ip') ?? '';
        const router = message.text('router') ?? '';
        const dns = message.text('name_server') ?? '';
        const handsOut = [
          given === '' || given === '0.0.0.0' ? '' : `address ${given}`,
          router === '' ? '' : `gateway ${router}`,
          dns === '' ? '' : `name server ${dns}`,
        ].filter((t) => t !== '');
        const victim = message.listener;
        ctx.finding({
          device,
          subject: `server ${id}`,
          severity: known && !device.isGateway && !relayed ? MEDIUM : LOW,
          confidence: known ? 85 : 50,
          tsUs: nowUs,
          firstUs: nowUs,
          title: v6 ? 'Unknown DHCPv6 server' : 'Unknown DHCP server',
          sentence: `${nameOf(device)} answered as ${v6 ? 'DHCPv6' : 'DHCP'} server ${id}${handsOut.length === 0 ? '' : ` (${handsOut.join(', ')})`}; ${known ? 'the known servers of the segment are others' : 'no server was known in this segment'}.`,
          evidence: [
            {
              src: endpointOf(device),
              dst: victim === undefined || victim.isMulticast ? undefined : victim,
              service: v6 ? 'dhcpv6' : 'dhcp',
            },
          ],
          anomalies: [
            {
              parameter: v6 ? 'DHCPv6 server' : 'DHCP server',
              expected: known
                ? [...segment.servers]
                    .filter((s) => s !== id && s !== device.mac)
                    .slice(0, 4)
                    .join(', ')
                : 'none',
              seen: `${id} (${device.mac})`,
              pattern: 'NEW',
            },
          ],
          patient: 'Devices that accept its answer lose their servers or send their data through it.',
          advice: [
            'Find its switch port: often it is a misplaced router or an engineer’s laptop with connection sharing.',
            'List the devices that were given an address since then and let them renew it.',
          ],
          caution: ['Do not release the lease of a device in use; renew it when the device is free.'],
        });
      },
    };
  },
});
