import type { Dissector } from '../dissector.ts';
import { dissector as astm } from './astm/index.ts';
import { dissector as bacnet } from './bacnet/index.ts';
import { dissector as carescape } from './carescape/index.ts';
import { dissector as cdp } from './cdp/index.ts';
import { dissector as contec } from './contec/index.ts';
import { dissector as dcerpc } from './dcerpc/index.ts';
import { dissector as dhcp } from './dhcp/index.ts';
import { dissector as dhcpv6 } from './dhcpv6/index.ts';
import { dissector as dicom } from './dicom/index.ts';
import { dissector as dnp3 } from './dnp3/index.ts';
import { dissector as dns } from './dns/index.ts';
import { dissector as enip } from './enip/index.ts';
import { dissector as ftp } from './ftp/index.ts';
import { dissector as hl7 } from './hl7/index.ts';
import { dissector as http } from './http/index.ts';
import { dissector as iec104 } from './iec104/index.ts';
import { dissector as intellivue } from './intellivue/index.ts';
import { dissector as kerberos } from './kerberos/index.ts';
import { dissector as ldap } from './ldap/index.ts';
import { dissector as lldp } from './lldp/index.ts';
import { dissector as llmnr } from './llmnr/index.ts';
import { dissector as mdns } from './mdns/index.ts';
import { dissector as modbus } from './modbus/index.ts';
import { dissector as mqtt } from './mqtt/index.ts';
import { dissector as nbns } from './nbns/index.ts';
import { dissector as ntp } from './ntp/index.ts';
import { dissector as opcua } from './opcua/index.ts';
import { dissector as poct1a } from './poct1a/index.ts';
import { dissector as quic } from './quic/index.ts';
import { dissector as rdp } from './rdp/index.ts';
import { dissector as rtsp } from './rtsp/index.ts';
import { dissector as s7comm } from './s7comm/index.ts';
import { dissector as sip } from './sip/index.ts';
import { dissector as smb } from './smb/index.ts';
import { dissector as snmp } from './snmp/index.ts';
import { dissector as socks } from './socks/index.ts';
import { dissector as ssdp } from './ssdp/index.ts';
import { dissector as ssh } from './ssh/index.ts';
import { dissector as syslog } from './syslog/index.ts';
import { dissector as telnet } from './telnet/index.ts';
import { dissector as tftp } from './tftp/index.ts';
import { dissector as tls } from './tls/index.ts';
import { dissector as vnc } from './vnc/index.ts';
import { dissector as wsdiscovery } from './wsdiscovery/index.ts';

/** All dissectors, by name. One line each here and above. */
export const dissectors: readonly Dissector[] = [
  astm,
  bacnet,
  carescape,
  cdp,
  contec,
  dcerpc,
  dhcp,
  dhcpv6,
  dicom,
  dnp3,
  dns,
  enip,
  ftp,
  hl7,
  http,
  iec104,
  intellivue,
  kerberos,
  ldap,
  lldp,
  llmnr,
  mdns,
  modbus,
  mqtt,
  nbns,
  ntp,
  opcua,
  poct1a,
  quic,
  rdp,
  rtsp,
  s7comm,
  sip,
  smb,
  snmp,
  socks,
  ssdp,
  ssh,
  syslog,
  telnet,
  tftp,
  tls,
  vnc,
  wsdiscovery,
];
