import type { Dissector } from '../dissector.ts';
import { dissector as dicom } from './dicom/index.ts';
import { dissector as hl7 } from './hl7/index.ts';

/** All dissectors, by name. One line each here and above. */
export const dissectors: readonly Dissector[] = [
  dicom,
  hl7,
];
