import type { Dissector } from '../dissector.ts';
import { dissector as astm } from './astm/index.ts';
import { dissector as carescape } from './carescape/index.ts';
import { dissector as contec } from './contec/index.ts';
import { dissector as dhcp } from './dhcp/index.ts';
import { dissector as dicom } from './dicom/index.ts';
import { dissector as dns } from './dns/index.ts';
import { dissector as hl7 } from './hl7/index.ts';
import { dissector as http } from './http/index.ts';
import { dissector as intellivue } from './intellivue/index.ts';
import { dissector as poct1a } from './poct1a/index.ts';
import { dissector as tls } from './tls/index.ts';
import { dissector as wsdiscovery } from './wsdiscovery/index.ts';

/** All dissectors, by name. One line each here and above. */
export const dissectors: readonly Dissector[] = [
  astm,
  carescape,
  contec,
  dhcp,
  dicom,
  dns,
  hl7,
  http,
  intellivue,
  poct1a,
  tls,
  wsdiscovery,
];
