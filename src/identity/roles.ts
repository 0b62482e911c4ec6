/**
 * What a device does on the network, as opposed to what it says of itself: which protocols it serves and
 * uses and with how many partners, and what kinds of device its partners are.
 */

/** Protocols and acts that roles are told of. */
export const ACTS = [
  'alaris',
  'astm',
  'bacnet',
  'capwap',
  'carescape',
  'contec',
  'dhcp',
  'dicom',
  'dicom-mpps',
  'dicom-print',
  'dicom-query',
  'dicom-store',
  'dicom-worklist',
  'dns',
  'fhir',
  'ftp',
  'hl7',
  'hl7-adt',
  'hl7-orders',
  'hl7-results',
  'http',
  'intellivue',
  'ipp',
  'iscsi',
  'kerberos',
  'ldap',
  'lpd',
  'modbus',
  'mqtt',
  'nfs',
  'ntp',
  'onvif',
  'opcua',
  'poct1a',
  'radius',
  'raw-print',
  'rdp',
  'rtsp',
  'sdc',
  'sip',
  'sip-register',
  'smb',
  'snmp',
  'sql',
  'ssh',
  'syslog',
  'telnet',
  'tftp',
  'tls',
  'upnp',
  'vnc',
  'winrm',
] as const;
export type Act = (typeof ACTS)[number];

/** `serves dicom`, `uses dicom`, `client infusion-pump` (one of its clients is one), `server pacs`. */
export type RoleKey = `${'serves' | 'uses'} ${Act}` | `${'client' | 'server'} ${string}`;

export interface RoleUse {
  readonly role: RoleKey;
  /** Keys of distinct partners, as many as are told apart. */
  readonly peers: number[];
  readonly firstUs: number;
}

/** Partners told apart in one role: rules ask for a few, never for a number like this. */
export const MAX_PEERS = 12;
const MAX_ROLES = 48;
const MAX_PARTNERS = 8;

/** The roles of one device. Bounded; a role that is known and full costs one look. */
export class Roles<Partner = unknown> {
  readonly uses = new Map<RoleKey, RoleUse>();
  /** Devices that it is a client of, and that are clients of it: whoever learns its own type tells them. */
  readonly servers: Partner[] = [];
  readonly clients: Partner[] = [];

  /** True where this is news: a new role, or one more partner. */
  note(role: RoleKey, peer: number, nowUs: number): boolean {
    const known = this.uses.get(role);
    if (known === undefined) {
      if (this.uses.size >= MAX_ROLES) return false;
      this.uses.set(role, { role, peers: [peer], firstUs: nowUs });
      return true;
    }
    if (known.peers.length >= MAX_PEERS || known.peers.includes(peer)) return false;
    known.peers.push(peer);
    return true;
  }

  /** Remembers a partner; true where it was not known. */
  meet(list: 'servers' | 'clients', partner: Partner): boolean {
    const partners = this[list];
    if (partners.length >= MAX_PARTNERS || partners.includes(partner)) return false;
    partners.push(partner);
    return true;
  }
}

/**
 * Registered ports of protocols that are told by the port alone, where no dissector has looked inside yet or
 * none exists: IANA Service Name and Transport Protocol Port Number Registry; 9100 by HP's JetDirect manuals,
 * 3613 by the BD Alaris Systems Manager documentation (see ICSMA-23-194-01).
 */
export const ACT_OF_PORT: ReadonlyMap<number, Act> = new Map<number, Act>([
  [22, 'ssh'],
  [23, 'telnet'],
  [69, 'tftp'],
  [88, 'kerberos'],
  [389, 'ldap'],
  [502, 'modbus'],
  [514, 'syslog'],
  [515, 'lpd'],
  [554, 'rtsp'],
  [631, 'ipp'],
  [636, 'ldap'],
  [1433, 'sql'],
  [1521, 'sql'],
  [1812, 'radius'],
  [1883, 'mqtt'],
  [2049, 'nfs'],
  [3260, 'iscsi'],
  [3306, 'sql'],
  [3389, 'rdp'],
  [3613, 'alaris'],
  [4840, 'opcua'],
  [5246, 'capwap'],
  [5432, 'sql'],
  [5985, 'winrm'],
  [8883, 'mqtt'],
  [9100, 'raw-print'],
]);
