import type { Act } from './roles.ts';

/** Only when this field of the same observation has one of these values; `+`: has any (a number: above 0). */
export type Condition = readonly [field: string, ...values: (string | number)[]];

/** A field of an observation that says something about a device. `source` is the name that profiles match on. */
export interface FieldRule {
  readonly field: string;
  readonly source: string;
  /** Whom it is about; the speaker where nothing is said. */
  readonly about?: 'listener';
  readonly when?: Condition;
  /** For numbers that stand for names: kept as they are, or as the names of the bits that are set. */
  readonly number?: true | Readonly<Record<number, string>>;
  /** What of the text counts; undefined where nothing of it does. */
  readonly part?: (text: string) => string | undefined;
  /**
   * What a device goes and asks for, of which there is no end: {@link MOST_HABITS} are kept a source, and only of a
   * device that is not known yet, for what a known one begins to do later is behaviour to be judged.
   */
  readonly habit?: true;
}

/** Different habits kept of one device from one source. */
export const MOST_HABITS = 10;

/** What an observation shows of who serves whom. */
export interface RoleRule {
  readonly act: Act;
  /** Which part the speaker has. */
  readonly speaker: 'serves' | 'uses';
  readonly when?: Condition;
  readonly and?: Condition;
}

export interface ObservationRule {
  readonly fields?: readonly FieldRule[];
  readonly roles?: readonly RoleRule[];
}

const CLIENT_OF_DHCP: Condition = ['message_type', 'DISCOVER', 'REQUEST', 'INFORM', 'DECLINE', 'BOOTREQUEST'];
const CLIENT_OF_DHCP6: Condition = [
  'message_type',
  'SOLICIT',
  'REQUEST',
  'CONFIRM',
  'RENEW',
  'REBIND',
  'INFORMATION-REQUEST',
];

/** IEEE 802.1AB table 8-4; the bit of a plain station says nothing that others do not say better. */
const LLDP_CAPABILITIES = { 2: 'bridge', 3: 'wlan', 4: 'router', 5: 'telephone' };
const CDP_CAPABILITIES = { 0: 'router', 1: 'bridge', 3: 'switch', 4: 'host', 7: 'telephone' };
const POLL: Condition = ['operation', 'poll', 'poll-extended'];
const OFFER: Condition = ['action', 'Hello', 'ProbeMatches', 'ResolveMatches'];
const SEARCH: Condition = ['action', 'Probe', 'Resolve'];
const CAMERA: Condition = [
  'types',
  'NetworkVideoTransmitter',
  'Device NetworkVideoTransmitter',
  'NetworkVideoTransmitter Device',
];

/** A host name without port; addresses say nothing beyond this network. */
function hostName(text: string): string | undefined {
  const host = text.replace(/:\d+$/, '').toLowerCase();
  return /^[0-9.]+$/.test(host) || host.includes(':') || !host.includes('.') ? undefined : host;
}

/** The service type of a name of DNS-SD (RFC 6763): `_http._tcp` of `kitchen._http._tcp.local`. */
function serviceType(text: string): string | undefined {
  return /(?:^|\.)(_[a-z0-9-]+\._(?:tcp|udp))\./i.exec(text)?.[1]?.toLowerCase();
}

/** Path of a URL of which the host is the device itself. */
function pathOf(text: string): string | undefined {
  return /^https?:\/\/[^/]*(\/[^?#]*)/i.exec(text)?.[1];
}

/** Which observations say something about what a device is; one line per fact. */
export const EVIDENCE: Readonly<Record<string, ObservationRule>> = {
  'astm.message': {
    fields: [{ field: 'sender', source: 'astm.sender' }],
    roles: [{ act: 'astm', speaker: 'uses', when: ['results', '+'] }],
  },
  'bacnet.message': {
    fields: [{ field: 'vendor_id', source: 'bacnet.vendor_id', number: true }],
    roles: [
      { act: 'bacnet', speaker: 'uses', when: ['pdu', 'confirmed-request'] },
      { act: 'bacnet', speaker: 'serves', when: ['pdu', 'complex-ack', 'simple-ack', 'error'] },
    ],
  },
  'carescape.presence': { roles: [{ act: 'carescape', speaker: 'serves' }] },
  'cdp.neighbour': {
    fields: [
      { field: 'device_id', source: 'cdp.device_id' },
      { field: 'platform', source: 'cdp.platform' },
      { field: 'software', source: 'cdp.software' },
      { field: 'capabilities', source: 'cdp.capabilities', number: CDP_CAPABILITIES },
    ],
  },
  'contec.block': { roles: [{ act: 'contec', speaker: 'uses' }] },
  'dhcp.message': {
    fields: [
      { field: 'hostname', source: 'dhcp.hostname', when: CLIENT_OF_DHCP },
      { field: 'fqdn', source: 'dhcp.fqdn', when: CLIENT_OF_DHCP },
      { field: 'vendor_class', source: 'dhcp.vendor_class', when: CLIENT_OF_DHCP },
      { field: 'parameters', source: 'dhcp.parameters', when: CLIENT_OF_DHCP },
      { field: 'option_order', source: 'dhcp.options', when: CLIENT_OF_DHCP },
      { field: 'mud_url', source: 'dhcp.mud_url', when: CLIENT_OF_DHCP },
    ],
    roles: [{ act: 'dhcp', speaker: 'serves', when: ['message_type', 'OFFER', 'ACK', 'NAK', 'BOOTREPLY'] }],
  },
  'dhcpv6.message': {
    fields: [
      { field: 'fqdn', source: 'dhcp.fqdn', when: CLIENT_OF_DHCP6 },
      { field: 'vendor_class', source: 'dhcp.vendor_class', when: CLIENT_OF_DHCP6 },
      { field: 'mud_url', source: 'dhcp.mud_url', when: CLIENT_OF_DHCP6 },
    ],
  },
  'dicom.association': {
    fields: [
      { field: 'calling_ae', source: 'dicom.ae_title' },
      { field: 'called_ae', source: 'dicom.ae_title', about: 'listener' },
      { field: 'implementation_uid', source: 'dicom.implementation_uid' },
      { field: 'implementation_version', source: 'dicom.implementation_version' },
    ],
    roles: [{ act: 'dicom', speaker: 'uses' }],
  },
  'dicom.accept': {
    fields: [
      { field: 'called_ae', source: 'dicom.ae_title' },
      { field: 'implementation_uid', source: 'dicom.implementation_uid' },
      { field: 'implementation_version', source: 'dicom.implementation_version' },
    ],
    roles: [{ act: 'dicom', speaker: 'serves' }],
  },
  'dicom.command': {
    fields: [{ field: 'sop_class', source: 'dicom.sends', when: ['command', 'C-STORE-RQ'] }],
    roles: [
      { act: 'dicom-store', speaker: 'uses', when: ['command', 'C-STORE-RQ'] },
      { act: 'dicom-worklist', speaker: 'uses', when: ['sop_class', 'ModalityWorklistFind'] },
      { act: 'dicom-mpps', speaker: 'uses', when: ['command', 'N-CREATE-RQ'] },
      { act: 'dicom-query', speaker: 'uses', when: ['command', 'C-MOVE-RQ', 'C-GET-RQ'] },
    ],
  },
  'dns.query': { fields: [{ field: 'name', source: 'dns.query', part: hostName, habit: true }] },
  'dns.response': { roles: [{ act: 'dns', speaker: 'serves' }] },
  'ftp.server': {
    fields: [{ field: 'banner', source: 'ftp.banner' }],
    roles: [{ act: 'ftp', speaker: 'serves' }],
  },
  'hl7.message': {
    fields: [
      { field: 'sending_app', source: 'hl7.sending_app' },
      { field: 'sending_facility', source: 'hl7.sending_facility' },
      { field: 'receiving_app', source: 'hl7.receiving_app', about: 'listener' },
    ],
    roles: [
      { act: 'hl7', speaker: 'uses' },
      { act: 'hl7-results', speaker: 'uses', when: ['message_type', 'ORU'] },
      { act: 'hl7-adt', speaker: 'uses', when: ['message_type', 'ADT'] },
      { act: 'hl7-orders', speaker: 'uses', when: ['message_type', 'ORM', 'OMG', 'OMI', 'OML', 'RDE', 'RGV'] },
    ],
  },
  'http.request': {
    fields: [
      { field: 'user_agent', source: 'http.user_agent' },
      { field: 'host', source: 'http.host', part: hostName, habit: true },
      { field: 'path_shape', source: 'http.path', habit: true },
    ],
    roles: [
      { act: 'http', speaker: 'uses' },
      { act: 'fhir', speaker: 'uses', when: ['fhir_resource', '+'] },
    ],
  },
  'http.response': {
    fields: [{ field: 'server', source: 'http.server' }],
    roles: [
      { act: 'http', speaker: 'serves' },
      { act: 'fhir', speaker: 'serves', when: ['content_type', 'application/fhir+json', 'application/fhir+xml'] },
    ],
  },
  'intellivue.connect_indication': {
    fields: [
      { field: 'manufacturer', source: 'intellivue.manufacturer' },
      { field: 'model', source: 'intellivue.model' },
      { field: 'serial', source: 'intellivue.serial' },
      { field: 'software', source: 'intellivue.software' },
    ],
    roles: [{ act: 'intellivue', speaker: 'serves' }],
  },
  'intellivue.mds_create': {
    fields: [
      { field: 'manufacturer', source: 'intellivue.manufacturer' },
      { field: 'model', source: 'intellivue.model' },
      { field: 'serial', source: 'intellivue.serial' },
      { field: 'software', source: 'intellivue.software' },
    ],
    roles: [{ act: 'intellivue', speaker: 'serves' }],
  },
  'intellivue.operation': {
    roles: [
      { act: 'intellivue', speaker: 'serves', when: POLL, and: ['phase', 'result', 'linked'] },
      { act: 'intellivue', speaker: 'uses', when: POLL, and: ['phase', 'request'] },
    ],
  },
  'intellivue.association': {
    roles: [
      { act: 'intellivue', speaker: 'uses', when: ['step', 'request'] },
      { act: 'intellivue', speaker: 'serves', when: ['step', 'accept'] },
    ],
  },
  'kerberos.message': {
    roles: [{ act: 'kerberos', speaker: 'serves', when: ['type', 'as_rep', 'tgs_rep'] }],
  },
  'ldap.message': { roles: [{ act: 'ldap', speaker: 'uses', when: ['is_request', 1] }] },
  'lldp.neighbour': {
    fields: [
      { field: 'system_name', source: 'lldp.system_name' },
      { field: 'system_description', source: 'lldp.system_description' },
      { field: 'capabilities', source: 'lldp.capabilities', number: LLDP_CAPABILITIES },
      { field: 'manufacturer', source: 'lldp.manufacturer' },
      { field: 'model', source: 'lldp.model' },
      { field: 'firmware', source: 'lldp.firmware' },
      { field: 'serial', source: 'lldp.serial' },
      { field: 'mud_url', source: 'dhcp.mud_url' },
    ],
  },
  'mdns.query': { fields: [{ field: 'name', source: 'mdns.asks', part: serviceType, habit: true }] },
  'mdns.response': {
    fields: [
      { field: 'host', source: 'mdns.hostname' },
      { field: 'services', source: 'mdns.services' },
      { field: 'model', source: 'mdns.model' },
      { field: 'vendor', source: 'mdns.vendor' },
      { field: 'version', source: 'mdns.version' },
    ],
  },
  'modbus.request': { roles: [{ act: 'modbus', speaker: 'uses' }] },
  'modbus.response': {
    fields: [
      { field: 'vendor', source: 'modbus.vendor' },
      { field: 'product', source: 'modbus.product' },
      { field: 'revision', source: 'modbus.revision' },
    ],
    roles: [{ act: 'modbus', speaker: 'serves' }],
  },
  'nbns.message': {
    fields: [
      { field: 'name', source: 'nbns.name', when: ['operation', 'registration', 'refresh'] },
      { field: 'own_name', source: 'nbns.name', when: ['is_response', 1] },
    ],
  },
  'ntlm.auth': {
    fields: [
      { field: 'workstation', source: 'ntlm.computer' },
      { field: 'os_version', source: 'ntlm.os_version' },
    ],
  },
  'ntlm.challenge': {
    fields: [
      { field: 'computer', source: 'ntlm.computer' },
      { field: 'os_version', source: 'ntlm.os_version' },
    ],
  },
  'ntp.message': { roles: [{ act: 'ntp', speaker: 'serves', when: ['mode', 'server', 'broadcast'] }] },
  'poct1a.device': {
    fields: [
      { field: 'vendor', source: 'poct1a.vendor' },
      { field: 'model', source: 'poct1a.model' },
      { field: 'serial', source: 'poct1a.serial' },
      { field: 'software', source: 'poct1a.software' },
      { field: 'name', source: 'poct1a.name' },
    ],
    roles: [{ act: 'poct1a', speaker: 'uses' }],
  },
  'poct1a.message': { roles: [{ act: 'poct1a', speaker: 'uses', when: ['message_type', 'HEL', 'DST', 'OBS'] }] },
  'rdp.client': { fields: [{ field: 'name', source: 'ntlm.computer' }] },
  'rtsp.request': {
    fields: [{ field: 'user_agent', source: 'rtsp.user_agent' }],
    roles: [{ act: 'rtsp', speaker: 'uses' }],
  },
  'rtsp.response': {
    fields: [{ field: 'server', source: 'rtsp.server' }],
    roles: [{ act: 'rtsp', speaker: 'serves' }],
  },
  'sip.request': {
    fields: [{ field: 'user_agent', source: 'sip.user_agent' }],
    roles: [{ act: 'sip', speaker: 'uses', when: ['method', 'REGISTER', 'INVITE', 'SUBSCRIBE'] }],
  },
  'sip.response': {
    fields: [{ field: 'user_agent', source: 'sip.user_agent' }],
    roles: [
      { act: 'sip', speaker: 'serves', when: ['method', 'INVITE', 'SUBSCRIBE'] },
      { act: 'sip-register', speaker: 'serves', when: ['method', 'REGISTER'] },
    ],
  },
  'smb.negotiate': { roles: [{ act: 'smb', speaker: 'serves' }] },
  'smb.software': { fields: [{ field: 'os', source: 'smb.os' }] },
  'snmp.message': {
    fields: [
      { field: 'sys_descr', source: 'snmp.sysdescr' },
      { field: 'sys_object_id', source: 'snmp.sysobjectid' },
      { field: 'sys_name', source: 'snmp.sysname' },
      { field: 'engine_enterprise', source: 'snmp.enterprise', number: true, when: ['pdu', 'response', 'report'] },
    ],
    roles: [
      { act: 'snmp', speaker: 'uses', when: ['pdu', 'get', 'get-next', 'get-bulk'] },
      { act: 'snmp', speaker: 'serves', when: ['pdu', 'response'] },
    ],
  },
  'ssdp.message': {
    fields: [
      { field: 'target', source: 'ssdp.type', when: ['method', 'NOTIFY', 'RESPONSE'] },
      { field: 'server', source: 'ssdp.server' },
      { field: 'location', source: 'ssdp.location', part: pathOf },
      { field: 'target', source: 'ssdp.asks', when: ['method', 'M-SEARCH'], habit: true },
    ],
    roles: [{ act: 'upnp', speaker: 'serves', when: ['method', 'NOTIFY', 'RESPONSE'] }],
  },
  'ssh.banner': {
    fields: [
      { field: 'software', source: 'ssh.server', when: ['from_client', 0] },
      { field: 'software', source: 'ssh.client', when: ['from_client', 1] },
    ],
  },
  'syslog.message': {
    fields: [
      { field: 'host', source: 'syslog.host' },
      { field: 'app', source: 'syslog.app' },
    ],
  },
  'telnet.login': { roles: [{ act: 'telnet', speaker: 'serves', when: ['outcome', 'prompt'] }] },
  'tls.certificate': {
    fields: [
      { field: 'subject_cn', source: 'tls.certificate' },
      { field: 'subject_org', source: 'tls.organisation', when: ['self_signed', 1] },
    ],
  },
  'tls.client_hello': {
    fields: [
      { field: 'ja4', source: 'tls.ja4' },
      { field: 'sni', source: 'tls.server_name', about: 'listener' },
      { field: 'sni', source: 'tls.asks', part: hostName, habit: true },
    ],
    roles: [{ act: 'tls', speaker: 'uses' }],
  },
  'tftp.request': { roles: [{ act: 'tftp', speaker: 'uses' }] },
  'wsdiscovery.message': {
    fields: [{ field: 'types', source: 'wsdiscovery.types', when: OFFER }],
    roles: [
      { act: 'sdc', speaker: 'serves', when: OFFER, and: ['is_medical_device', 1] },
      { act: 'sdc', speaker: 'uses', when: SEARCH, and: ['is_medical_device', 1] },
      { act: 'onvif', speaker: 'serves', when: OFFER, and: CAMERA },
      { act: 'onvif', speaker: 'uses', when: SEARCH, and: CAMERA },
    ],
  },
};

/** Where a device sends what no dissector need know: protocol and port, `group` where it is for many at once. */
export const PORT_SOURCE = 'traffic.port';

/** Sources that hold a name that the device has in the network; profiles call them all `name`. */
export const NAME_SOURCES: readonly string[] = [
  'dhcp.hostname',
  'dhcp.fqdn',
  'dns.name',
  'lldp.system_name',
  'mdns.hostname',
  'nbns.name',
  'ntlm.computer',
  'snmp.sysname',
  'cdp.device_id',
  'tls.server_name',
];

/** Sources in which a product may be named; profiles call them all `text`. */
export const TEXT_SOURCES: readonly string[] = [
  ...NAME_SOURCES,
  'astm.sender',
  'cdp.platform',
  'dhcp.vendor_class',
  'dicom.ae_title',
  'dicom.implementation_version',
  'ftp.banner',
  'hl7.sending_app',
  'http.server',
  'http.user_agent',
  'intellivue.model',
  'lldp.model',
  'lldp.system_description',
  'mdns.model',
  'modbus.product',
  'poct1a.model',
  'poct1a.name',
  'rtsp.server',
  'sip.user_agent',
  'snmp.sysdescr',
  'ssdp.server',
  'ssh.server',
  'tls.certificate',
];

/** All sources of texts, for checking profiles. */
export const SOURCES: readonly string[] = [
  ...new Set([
    'oui',
    'dns.name',
    'network.role',
    PORT_SOURCE,
    ...Object.values(EVIDENCE).flatMap((rule) => (rule.fields ?? []).map((field) => field.source)),
  ]),
].sort();
