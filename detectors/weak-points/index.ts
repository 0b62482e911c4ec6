import { INFORMATIONAL, LOW, defineDetector, keepEndpoint, nameOf, plural } from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, MessageView, Severity, Technique } from '../../src/detect/sdk.ts';

/** One kind of weakness: what it is, and what to do about it. */
interface Kind {
  readonly severity: Severity;
  /** Continues "it …": `answers Telnet`. */
  readonly says: string;
  readonly advice: string;
}

const KINDS = {
  smb1: {
    severity: LOW,
    says: 'speaks SMB version 1',
    advice: 'Switch SMB 1 off; where the maker does not allow it, let only the hosts that need it reach the port.',
  },
  telnet: {
    severity: LOW,
    says: 'answers Telnet',
    advice: 'Switch Telnet off, or let only the service path reach port 23 (CISA ICSMA-20-170-04, FDA 2015-05-13).',
  },
  ftp: {
    severity: INFORMATIONAL,
    says: 'answers FTP',
    advice: 'Replace FTP, or let only the hosts that need it reach port 21.',
  },
  'ftp-login': {
    severity: LOW,
    says: 'takes passwords by FTP in clear',
    advice: 'Change the password and move the transfer to SFTP or HTTPS.',
  },
  'telnet-login': {
    severity: LOW,
    says: 'takes passwords by Telnet in clear',
    advice: 'Change the password and move the service access to SSH.',
  },
  'http-login': {
    severity: LOW,
    says: 'takes passwords by HTTP in clear',
    advice: 'Switch the web interface to HTTPS and change the password.',
  },
  'old-tls': {
    severity: LOW,
    says: 'agrees to SSL or TLS before version 1.2',
    advice: 'Allow TLS 1.2 and 1.3 only; ask the maker for an update.',
  },
  'expired-certificate': {
    severity: LOW,
    says: 'shows an expired certificate',
    advice: 'Renew the certificate: users who are made to click warnings away will do so for an impostor.',
  },
  'self-signed': {
    severity: INFORMATIONAL,
    says: 'shows a self-signed certificate',
    advice: 'Give the device a certificate of the hospital, or pin its own.',
  },
  'default-community': {
    severity: LOW,
    says: 'answers SNMP with a default community',
    advice: 'Change the community or move to SNMP version 3.',
  },
  'snmp-clear': {
    severity: INFORMATIONAL,
    says: 'is managed by SNMP without encryption',
    advice: 'Move to SNMP version 3 with authentication and privacy.',
  },
  'vnc-open': {
    severity: LOW,
    says: 'lets itself be operated by VNC without a password',
    advice: 'Set a password, and let only the service path reach the port.',
  },
  'clear-hl7': {
    severity: LOW,
    says: 'sends or gets HL7 in clear beyond its segment',
    advice: 'Put the feed into TLS or a tunnel where it leaves the segment.',
  },
  'clear-dicom': {
    severity: LOW,
    says: 'sends or gets DICOM in clear beyond its segment',
    advice: 'Use DICOM over TLS (PS3.15) where images leave the segment.',
  },
} as const satisfies Record<string, Kind>;
type KindName = keyof typeof KINDS;

/** Weaknesses of one device so far. */
interface Found {
  readonly kinds: Map<
    KindName,
    { readonly end: Endpoint; readonly peer: Endpoint | undefined; readonly service: string }
  >;
  firstUs: number;
}

const SNIFFING: Technique = { id: 'T0842', name: 'Network Sniffing', matrix: 'ics' };
const CREDENTIALS: Technique = { id: 'T0812', name: 'Default Credentials', matrix: 'ics' };

export default defineDetector({
  id: 'weak-points',
  version: 1,
  status: 'stable',
  title: 'Weak points of a device',
  summary: 'Old or unprotected protocols that a device still offers: one list a device, never more than low.',
  analytic: 'rule',
  techniques: [SNIFFING, CREDENTIALS],
  params: {
    report_certificates: { default: true, doc: 'Report expired and self-signed certificates.' },
  },
  create(ctx) {
    const { report_certificates } = ctx.params;
    const foundOf = ctx.perDevice<Found>(() => ({ kinds: new Map(), firstUs: ctx.nowUs() }));

    function note(end: Endpoint, peer: Endpoint | undefined, name: KindName, service: string): void {
      const device = monitored(end);
      if (device === undefined) return;
      const found = foundOf(device);
      if (found.kinds.has(name)) return;
      const nowUs = ctx.nowUs();
      if (found.kinds.size === 0) found.firstUs = nowUs;
      found.kinds.set(name, {
        end: keepEndpoint(end),
        peer: peer === undefined ? undefined : keepEndpoint(peer),
        service,
      });
      const names = [...found.kinds.keys()];
      const says = names.map((n) => KINDS[n].says);
      const severity = names.some((n) => KINDS[n].severity === LOW) ? LOW : INFORMATIONAL;
      const medical = ctx.classOf(device).medical;
      ctx.finding({
        device,
        subject: 'weak points',
        severity,
        confidence: 90,
        tsUs: nowUs,
        firstUs: found.firstUs,
        title: says.length === 1 ? `Weak point: ${says[0] ?? ''}` : `${says.length} weak points`,
        sentence: `${nameOf(device)} ${listOf(says)} (${plural(names.length, 'weak point')}).`,
        evidence: [...found.kinds.values()].map((k) => ({ src: k.end, dst: k.peer, service: k.service })).reverse(),
        anomalies: names.map((n) => ({
          parameter: n,
          expected: 'absent',
          seen: KINDS[n].says,
          pattern: 'WEAK',
        })),
        ...(medical ? { patient: 'Weak points harm nobody by themselves; an intruder needs one of them.' } : {}),
        advice: names.map((n) => KINDS[n].advice),
        caution: ['Do not change settings of a medical device without its maker and biomedical engineering.'],
      });
    }

    function onCertificate(message: MessageView, from: Endpoint, to: Endpoint | undefined): void {
      if (!report_certificates || message.number('from_client') === 1) return;
      const notAfter = message.number('not_after');
      if (notAfter !== undefined && notAfter * 1e6 < ctx.nowUs()) note(from, to, 'expired-certificate', 'ssl');
      if (message.number('self_signed') === 1) note(from, to, 'self-signed', 'ssl');
    }

    /** Clinical data that crosses the gateway: the end on the segment is the one to protect. */
    function onClinical(from: Endpoint, to: Endpoint, name: 'clear-hl7' | 'clear-dicom', service: string): void {
      if (to.isRemote || to.isPublic) note(from, to, name, service);
      else if (from.isRemote || from.isPublic) note(to, from, name, service);
    }

    return {
      messageKinds: [
        'smb.negotiate',
        'telnet.negotiation',
        'telnet.login',
        'ftp.server',
        'ftp.login',
        'http.request',
        'tls.server_hello',
        'tls.certificate',
        'snmp.message',
        'vnc.security',
        'hl7.message',
        'dicom.association',
      ],
      onMessage(message): void {
        const { speaker, listener, flow } = message;
        if (flow === undefined || listener === undefined) return;
        const server = flow.resp;
        const client = flow.orig;
        switch (message.kind) {
          case 'smb.negotiate':
            if (message.text('dialect') === '1') note(speaker, listener, 'smb1', 'smb');
            break;
          case 'telnet.negotiation':
            note(server, client, 'telnet', 'telnet');
            break;
          case 'telnet.login':
            note(server, client, 'telnet', 'telnet');
            if (message.text('outcome') === 'accepted') note(server, client, 'telnet-login', 'telnet');
            break;
          case 'ftp.server':
            note(speaker, listener, 'ftp', 'ftp');
            break;
          case 'ftp.login':
            if (message.number('ok') === 1) note(server, client, 'ftp-login', 'ftp');
            break;
          case 'http.request':
            if (message.text('authorization') === 'basic') note(server, client, 'http-login', 'http');
            break;
          case 'tls.server_hello': {
            const version = message.text('version') ?? '';
            if (version.startsWith('SSL') || version === 'TLS 1.0' || version === 'TLS 1.1')
              note(speaker, listener, 'old-tls', 'ssl');
            break;
          }
          case 'tls.certificate':
            onCertificate(message, speaker, listener);
            break;
          case 'snmp.message': {
            if (message.text('pdu') !== 'response' || message.number('version') === 3) break;
            const isDefault = message.number('is_default_community') === 1;
            note(speaker, listener, isDefault ? 'default-community' : 'snmp-clear', 'snmp');
            break;
          }
          case 'vnc.security':
            if (message.number('chosen') === 1) note(server, client, 'vnc-open', 'vnc');
            break;
          case 'hl7.message':
            onClinical(speaker, listener, 'clear-hl7', 'hl7');
            break;
          default:
            onClinical(speaker, listener, 'clear-dicom', 'dicom');
        }
      },
    };
  },
});

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}

function listOf(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1) ?? ''}`;
}
