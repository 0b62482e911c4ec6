import { number, observation, text, token } from '../../observation.ts';

export const astmMessage = observation(
  'astm.message',
  'A message of ASTM E1394 / CLSI LIS2-A2, header to terminator.',
  {
    sender: text('H-5: name, version and serial number of the sender'),
    receiver: text('H-10'),
    processing: text('H-12: P production, T training, D debugging, Q quality control'),
    version: text('H-13'),
    termination: text('L-3: N normal, other codes for errors'),
    values: token('R-3 and R-4 of all results, in order'),
    patient: token('First of P-3, P-4 and P-5 that is there'),
    records: number('Records'),
    patients: number('P records'),
    orders: number('O records'),
    results: number('R records'),
    queries: number('Q records: someone asks for orders or results'),
    frames: number('Frames of the link layer, 0 where the message came without'),
    bad_checksums: number('Frames whose checksum is wrong'),
    bytes: number('Length of the records'),
    complete: number('0 where bytes were lost or no terminator came'),
  },
);

export const astmEvents = [
  'astm_bad_checksum',
  'astm_nak',
  'astm_junk',
  'astm_no_header',
  'astm_lost',
  'astm_long_header',
] as const;
