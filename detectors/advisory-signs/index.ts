import {
  INFORMATIONAL,
  LOW,
  MEDIUM,
  defineDetector,
  figure,
  keepEndpoint,
  keyOf,
  nameOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, FlowView, Severity, Technique } from '../../src/detect/sdk.ts';

const IDENTIFICATION: Technique = { id: 'T0888', name: 'Remote System Information Discovery', matrix: 'ics' };
const EXPLOIT: Technique = { id: 'T0866', name: 'Exploitation of Remote Services', matrix: 'ics' };
const EXPLOIT_ENTERPRISE: Technique = { id: 'T1210', name: 'Exploitation of Remote Services', matrix: 'enterprise' };
const THEFT: Technique = { id: 'T0882', name: 'Theft of Operational Information', matrix: 'ics' };

/** ICMP types that only Treck's TCP/IP software uses (CISA ICSA-20-168-01). */
const TRECK_REQUEST = 165;
const TRECK_REPLY = 166;
/** Central station of the Contec CMS8000 and HL7 receiver as the maker sets them (CISA ICSMA-25-030-01). */
const CONTEC = new Set(['202.114.4.119', '202.114.4.120']);
/** TRANS2_SESSION_SETUP ([MS-CIFS] 2.2.6.15: reserved): only the DoublePulsar implant answers to it. */
const SESSION_SETUP = 0x0e;
const MAX_PROBERS = 1024;
const MAX_TARGETS = 64;

interface Prober {
  readonly self: Endpoint;
  readonly targets: Map<number, Endpoint>;
  readonly firstUs: number;
  nextTell: number;
}

export default defineDetector({
  id: 'advisory-signs',
  version: 1,
  status: 'stable',
  title: 'Sign of a published advisory',
  summary:
    'Behaviour that an advisory describes: probes for Treck software, the built-in address of Contec monitors, DoublePulsar.',
  analytic: 'rule',
  techniques: [IDENTIFICATION],
  params: {},
  create(ctx) {
    const probers = ctx.site(() => new Map<number, Prober>());
    const told = ctx.perDevice<Set<string>>(() => new Set());

    function once(device: DeviceView, what: string): boolean {
      const set = told(device);
      if (set.has(what) || set.size >= 256) return false;
      set.add(what);
      return true;
    }

    function onProbe(flow: FlowView): void {
      const { orig, resp } = flow;
      let prober = probers.get(orig.key);
      if (prober === undefined) {
        if (probers.size >= MAX_PROBERS) probers.clear();
        prober = { self: keepEndpoint(orig), targets: new Map(), firstUs: flow.startUs, nextTell: 1 };
        probers.set(orig.key, prober);
      }
      if (prober.targets.size < MAX_TARGETS) prober.targets.set(resp.key, keepEndpoint(resp));
      const n = prober.targets.size;
      const device = monitored(orig) ?? monitored(resp);
      if (n < prober.nextTell || device === undefined) return;
      prober.nextTell = n * 2;
      ctx.finding({
        device,
        subject: `treck probe ${orig.key}`,
        severity: MEDIUM,
        confidence: 85,
        tsUs: ctx.nowUs(),
        firstUs: prober.firstUs,
        title: 'Devices are probed for the Treck flaws (Ripple20)',
        sentence: `${nameOfEndpoint(orig)} sent ICMP of type ${TRECK_REQUEST}, which only Treck software answers, to ${plural(n, 'address', 'addresses')}.`,
        evidence: [...prober.targets.values()].slice(0, 16).map((t) => ({ src: prober.self, dst: t, service: 'icmp' })),
        anomalies: [{ parameter: 'ICMP type 165', expected: 'absent', seen: `${n} addresses`, pattern: 'KNOWN SIGN' }],
        patient: 'Devices with this software can stop or be taken over by a few packets.',
        advice: [
          `Ask who looks for vulnerable devices from ${nameOfEndpoint(orig)}; tools that do so are not meant for hospitals.`,
          'Let the gateway drop ICMP of unknown types.',
        ],
        caution: ['Do not repeat the probe: malformed ICMP can stop a device.'],
      });
    }

    function onTreck(flow: FlowView): void {
      const device = monitored(flow.orig);
      if (device === undefined || !once(device, 'treck')) return;
      ctx.finding({
        device,
        subject: 'treck',
        severity: INFORMATIONAL,
        confidence: 85,
        tsUs: ctx.nowUs(),
        firstUs: flow.startUs,
        title: 'Device with Treck TCP/IP software',
        sentence: `${nameOf(device)} answered with ICMP of type ${TRECK_REPLY}: it runs Treck's TCP/IP software, for which the Ripple20 flaws are published.`,
        evidence: [{ src: flow.orig, dst: flow.resp, service: 'icmp' }],
        anomalies: [{ parameter: 'ICMP type 166', expected: 'absent', seen: '1', pattern: 'KNOWN SIGN' }],
        advice: ['Look up the device in CISA ICSA-20-168-01 and ask the maker for an update.'],
      });
    }

    /** Worded with care: the address is printed in the manual, and a site may have given it to its own station. */
    function onContec(flow: FlowView, established: boolean): void {
      const { orig, resp } = flow;
      const device = monitored(orig);
      if (device === undefined) return;
      const own = monitored(resp) !== undefined;
      if (!once(device, `contec ${established ? 'answered' : 'tried'}`)) return;
      const severity: Severity = own ? INFORMATIONAL : established ? MEDIUM : LOW;
      ctx.finding({
        device,
        subject: 'contec',
        severity,
        confidence: 90,
        tsUs: ctx.nowUs(),
        firstUs: flow.startUs,
        title: 'Hard-coded CMS address contacted',
        sentence: `${nameOf(device)} contacted ${resp.ip} (${flow.proto}/${figure(resp.port)}), the central-station address built into Contec CMS8000 monitors; ${
          own
            ? 'a device of this site holds it'
            : established
              ? 'it was answered from outside the segment'
              : 'there was no answer yet'
        }.`,
        techniques: [THEFT],
        evidence: [{ src: orig, dst: resp, service: flow.service }],
        anomalies: [
          {
            parameter: 'address 202.114.4.119 or .120',
            expected: "absent, or the site's own station",
            seen: own ? 'a device of the site' : 'nobody on the segment',
            pattern: 'KNOWN SIGN',
          },
        ],
        patient: 'Vital signs and the identity of the patient go in clear to whoever holds this address.',
        advice: [
          'Block 202.114.4.0/24 at the gateway, as CISA, FDA and Claroty advise alike (ICSMA-25-030-01).',
          `Give ${nameOf(device)} the address of the station of the site, or disable its network where it is not needed.`,
        ],
        caution: ['Do not take the monitor off the patient: it goes on measuring without the network.'],
      });
    }

    function onImplant(client: Endpoint, server: Endpoint): void {
      const device = monitored(client) ?? monitored(server);
      if (device === undefined || !once(device, `implant ${keyOf(client.key, server.key)}`)) return;
      ctx.finding({
        device,
        subject: `doublepulsar ${server.key}`,
        severity: MEDIUM,
        confidence: 85,
        tsUs: ctx.nowUs(),
        firstUs: ctx.nowUs(),
        title: 'DoublePulsar is looked for or used',
        sentence: `${nameOfEndpoint(client)} sent ${nameOfEndpoint(server)} an SMB 1 command that nothing but the DoublePulsar implant understands (MS17-010).`,
        techniques: [EXPLOIT, EXPLOIT_ENTERPRISE],
        evidence: [{ src: client, dst: server, service: 'smb' }],
        anomalies: [{ parameter: 'SMB 1 TRANS2_SESSION_SETUP', expected: 'absent', seen: '1', pattern: 'KNOWN SIGN' }],
        patient: 'The host is under attack by what spreads ransomware from device to device.',
        advice: [
          `Isolate ${nameOfEndpoint(client)}; have ${nameOfEndpoint(server)} examined and updated.`,
          'Let only the hosts that need it reach port 445 of modalities (CISA ICSMA-18-058-02, ICSMA-20-170-01).',
        ],
        caution: [
          'Do not restart the attacked device before its maker has been asked: the implant lives in memory only, so do the traces.',
        ],
      });
    }

    return {
      messageKinds: ['smb.command'],
      onFlowStart(flow): void {
        if (flow.proto === 'icmp' && flow.ipProto === 1) {
          if (flow.orig.port === TRECK_REQUEST) onProbe(flow);
          else if (flow.orig.port === TRECK_REPLY) onTreck(flow);
        } else if (flow.resp.isPublic && CONTEC.has(flow.resp.ip)) onContec(flow, false);
      },
      onFlowEstablished(flow): void {
        if (flow.resp.isPublic && CONTEC.has(flow.resp.ip)) onContec(flow, true);
      },
      onMessage(message): void {
        const { speaker, listener } = message;
        if (listener === undefined || message.text('command') !== 'transaction2') return;
        if (message.number('is_request') === 1 && message.number('subcommand') === SESSION_SETUP)
          onImplant(speaker, listener);
      },
    };
  },
});

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}
