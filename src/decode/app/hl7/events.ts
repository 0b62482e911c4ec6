import { number, observation, text, token } from '../../observation.ts';

export const hl7Message = observation('hl7.message', 'An HL7 v2 message with its end seen.', {
  message_type: text('MSH-9.1, for instance ORU'),
  trigger: text('MSH-9.2, for instance R01'),
  version: text('MSH-12'),
  processing: text('MSH-11.1: P production, T training, D debugging'),
  sending_app: text('MSH-3'),
  sending_facility: text('MSH-4'),
  receiving_app: text('MSH-5'),
  receiving_facility: text('MSH-6'),
  control_id: token('MSH-10'),
  values: token('OBX-3 and OBX-5 of all results, in order'),
  patient: token('PID-3.1'),
  segments: number('Segments, MSH included'),
  results: number('OBX segments'),
  bytes: number('Length of the message without its frame'),
  complete: number('0 where bytes were lost inside the message'),
});

export const hl7Ack = observation('hl7.ack', 'An acknowledgement: a message with an MSA segment.', {
  code: text('MSA-1: AA, AE, AR, CA, CE or CR'),
  control_id: token('MSA-2, the MSH-10 of what is acknowledged'),
  message_type: text('MSH-9.1 of the acknowledgement'),
  trigger: text('MSH-9.2 of the acknowledgement'),
  version: text('MSH-12'),
  sending_app: text('MSH-3 of who acknowledges'),
  sending_facility: text('MSH-4 of who acknowledges'),
  receiving_app: text('MSH-5'),
  receiving_facility: text('MSH-6'),
  segments: number('Segments, MSH included'),
  bytes: number('Length of the message without its frame'),
});

export const hl7Events = [
  'hl7_unframed',
  'hl7_unterminated',
  'hl7_lf_terminator',
  'hl7_long_header',
  'hl7_bad_header',
  'hl7_batch',
  'hl7_junk',
  'hl7_lost',
] as const;
