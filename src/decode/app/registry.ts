import type { Dissector } from '../dissector.ts';
import { dissector as dhcp } from './dhcp/index.ts';
import { dissector as dicom } from './dicom/index.ts';
import { dissector as dns } from './dns/index.ts';
import { dissector as hl7 } from './hl7/index.ts';
import { dissector as http } from './http/index.ts';
import { dissector as tls } from './tls/index.ts';

/** All dissectors, by name. One line each here and above. */
export const dissectors: readonly Dissector[] = [
  dhcp,
  dicom,
  dns,
  hl7,
  http,
  tls,
];
