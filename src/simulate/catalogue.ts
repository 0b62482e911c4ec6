/**
 * The kinds of devices that a simulated site has: makers with their registered address blocks, how they ask for an
 * address, how many there are. Types are the ids of profiles/classes.json.
 */
import type { DhcpClient } from './network-messages.ts';

export type Zone = 'servers' | 'ward' | 'imaging' | 'laboratory' | 'office' | 'building';

export interface Make {
  readonly type: string;
  readonly vendor: string;
  readonly model: string;
  readonly software: string | undefined;
  /** First three bytes of the address, registered for the maker. */
  readonly oui: string;
  readonly prefix: string;
  readonly zone: Zone;
  readonly ttl: 64 | 128 | 255;
  /** Undefined: a fixed address. */
  readonly dhcp: DhcpClient | undefined;
  readonly protocols: readonly string[];
}

const linux = [1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42];
const windows = [1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];

function make(
  type: string,
  zone: Zone,
  vendor: string,
  model: string,
  oui: string,
  prefix: string,
  ttl: 64 | 128 | 255,
  protocols: readonly string[],
  dhcp?: readonly number[],
  vendorClass?: string,
  software?: string,
): Make {
  return {
    type,
    vendor,
    model,
    software,
    oui,
    prefix,
    zone,
    ttl,
    dhcp: dhcp === undefined ? undefined : { vendorClass, parameters: dhcp },
    protocols,
  };
}

/** One of each for every block of the site. */
export const SERVERS = {
  infrastructure: make('server', 'servers', 'Dell', 'PowerEdge R340', 'c8:f7:50', 'dc', 64, [
    'DHCP',
    'DNS',
    'NTP',
    'syslog',
    'SNMP manager',
  ]),
  files: make('file-server', 'servers', 'Dell', 'PowerEdge T140', '4c:d9:8f', 'files', 128, ['SMB', 'FTP', 'NTP']),
  engine: make('integration-engine', 'servers', 'VMware', 'HL7 interface engine', '00:50:56', 'engine', 64, ['HL7']),
  pacs: make('pacs', 'servers', 'Dell', 'Image archive', 'dc:f4:01', 'pacs', 64, ['DICOM']),
  pacsSpare: make('pacs', 'servers', 'Dell', 'Image archive (spare)', 'dc:f4:01', 'pacsb', 64, ['DICOM']),
  lis: make('lis', 'servers', 'VMware', 'Laboratory information system', '00:0c:29', 'lis', 128, ['ASTM', 'HL7']),
  records: make('ehr', 'servers', 'VMware', 'Health record server', '00:50:56', 'ehr', 64, ['TLS', 'HL7']),
  pumps: make('pump-server', 'servers', 'HP', 'Infusion manager', '9c:7b:ef', 'pumpsrv', 128, ['HTTP', 'TLS', 'HL7']),
  calls: make('call-server', 'servers', 'Cisco', 'Call manager', '08:4f:f9', 'callmgr', 64, ['SIP']),
  gateway: make('sdc-gateway', 'servers', 'Draeger', 'Device gateway', '00:10:5d', 'drgw', 64, ['TLS', 'HL7']),
  building: make('bms-server', 'building', 'Johnson Controls', 'Metasys ADS', '00:10:8d', 'bms', 128, [
    'BACnet',
    'Modbus',
    'NTP',
  ]),
  recorder: make('nvr', 'building', 'Dell', 'NVR appliance', 'cc:c5:e5', 'nvr', 64, ['RTSP', 'RTP']),
} as const;

/** One in every network of a ward. */
export const CENTRAL = make('central-station', 'ward', 'Philips', 'IntelliVue PIC iX', '88:3a:30', 'picix', 128, [
  'IntelliVue',
  'HL7',
  'NTP',
]);
/** One in every network. */
export const SWITCH = make('switch', 'servers', 'Cisco', 'WS-C2960X-48', '08:4f:a9', 'sw', 255, [
  'LLDP',
  'SNMP',
  'syslog',
]);

/** Everything else, with its share of the site. */
export const ENDPOINTS: readonly { readonly share: number; readonly make: Make }[] = [
  {
    share: 12,
    make: make(
      'patient-monitor',
      'ward',
      'Philips',
      'IntelliVue MX750',
      '7c:94:b2',
      'mx',
      64,
      ['IntelliVue', 'NTP'],
      [1, 3, 6, 15, 42, 43],
      'Philips.PatientMonitor',
      'N.01.12',
    ),
  },
  {
    share: 7,
    make: make(
      'patient-monitor',
      'ward',
      'GE Healthcare',
      'CARESCAPE B650',
      '44:4b:5d',
      'b650',
      64,
      ['HL7', 'NTP'],
      [1, 3, 6, 12, 42],
      'GEMS-CARESCAPE',
    ),
  },
  {
    share: 13,
    make: make(
      'infusion-pump',
      'ward',
      'B. Braun',
      'Infusomat Space',
      '00:12:21',
      'bbraun',
      64,
      ['HTTP'],
      [1, 3, 6, 15, 42],
      'SpaceCom2',
    ),
  },
  {
    share: 9,
    make: make(
      'infusion-pump',
      'ward',
      'Baxter',
      'Sigma Spectrum IQ',
      '58:46:e1',
      'spectrum',
      64,
      ['TLS'],
      [1, 3, 6, 12, 15, 28],
    ),
  },
  {
    share: 5,
    make: make(
      'ventilator',
      'ward',
      'Draeger',
      'Evita V800',
      'f0:e5:c3',
      'evita',
      64,
      ['TLS'],
      [1, 3, 28, 6, 15, 42, 119],
      'draeger-medical',
      '1.10',
    ),
  },
  { share: 1, make: make('ct', 'imaging', 'Siemens', 'SOMATOM go.Top', '38:4b:24', 'ct', 128, ['DICOM', 'NTP']) },
  {
    share: 2,
    make: make(
      'ultrasound',
      'imaging',
      'SonoSite',
      'X-Porte',
      '00:08:fb',
      'us',
      128,
      ['DICOM'],
      [1, 3, 6, 15, 44, 46, 47],
      'MSFT 5.0',
    ),
  },
  { share: 1.5, make: make('xray', 'imaging', 'Carestream', 'DRX-Evolution', '00:1d:4a', 'drx', 128, ['DICOM']) },
  {
    share: 1.5,
    make: make(
      'imaging-workstation',
      'imaging',
      'HP',
      'Z4 reading station',
      'f8:0d:ac',
      'RAD',
      128,
      ['DICOM', 'DNS', 'TLS'],
      windows,
      'MSFT 5.0',
    ),
  },
  {
    share: 2,
    make: make('lab-analyzer', 'laboratory', 'Roche', 'cobas b 221', '00:60:19', 'cobas', 64, ['ASTM'], linux),
  },
  {
    share: 18,
    make: make(
      'workstation',
      'office',
      'Dell',
      'OptiPlex 7080',
      'c8:f7:50',
      'WS',
      128,
      ['DNS', 'TLS', 'SMB', 'NTP', 'raw printing'],
      windows,
      'MSFT 5.0',
    ),
  },
  {
    share: 2,
    make: make(
      'laptop',
      'office',
      'Dell',
      'Latitude 5400',
      '98:e7:43',
      'LT',
      128,
      ['DNS', 'TLS', 'SMB'],
      windows,
      'MSFT 5.0',
    ),
  },
  {
    share: 10,
    make: make(
      'voip-phone',
      'office',
      'Cisco',
      'CP-8841',
      'f4:bd:9e',
      'SEP',
      64,
      ['SIP', 'RTP'],
      [1, 66, 6, 3, 15, 150],
      'Cisco Systems, Inc. IP Phone CP-8841',
    ),
  },
  {
    share: 4,
    make: make(
      'printer',
      'office',
      'HP',
      'LaserJet M507',
      '50:81:40',
      'NPI',
      64,
      ['SNMP', 'raw printing'],
      [1, 3, 6, 12, 15, 44, 69, 7, 4, 42],
      'Hewlett-Packard JetDirect',
    ),
  },
  {
    share: 4,
    make: make(
      'ip-camera',
      'building',
      'Axis',
      'P3245-V',
      'b8:a4:4f',
      'axis',
      64,
      ['RTSP', 'RTP', 'NTP'],
      [1, 3, 6, 12, 15, 28, 42, 121],
      'AXIS,Network Camera,P3245-V,10.12.114',
      '10.12.114',
    ),
  },
  {
    share: 5,
    make: make('bacnet-controller', 'building', 'Johnson Controls', 'FEC2611', '00:10:8d', 'fec', 64, ['BACnet']),
  },
  {
    share: 1,
    make: make('medical-gas-panel', 'building', 'Schneider Electric', 'TM221 gas alarm', '00:00:54', 'medgas', 64, [
      'Modbus',
    ]),
  },
  { share: 1, make: make('ups', 'building', 'APC', 'Smart-UPS SRT', '00:c0:b7', 'ups', 64, ['Modbus', 'SNMP']) },
];

export const ROUTER = make('router', 'servers', 'Cisco', 'ISR4331', 'f4:bd:9e', 'gw', 255, ['DHCP relay', 'SNMP']);
