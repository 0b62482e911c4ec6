import { number, observation, text, token } from '../../observation.ts';

export const poctDevice = observation(
  'poct1a.device',
  'A point-of-care device says what it is (the DEV object of HEL).',
  {
    device_id: text('DEV.device_id, often a MAC address'),
    vendor: text('DEV.vendor_id or manufacturer_name'),
    model: text('DEV.model_id'),
    serial: text('DEV.serial_id'),
    software: text('DEV.sw_version'),
    hardware: text('DEV.hw_version'),
    name: text('DEV.device_name'),
  },
);

export const poctMessage = observation('poct1a.message', 'A POCT1-A message with its end seen.', {
  message_type: text('HEL, DST, REQ, OBS, ACK, DTV, EOT, ...'),
  control_id: token('HDR.control_id'),
  version: text('HDR.version_id'),
  acknowledges: token('ACK.ack_control_id'),
  ack_code: text('ACK.type_cd: AA or AE'),
  command: text('DTV.command_cd: what the manager tells the device to do'),
  topic: text('EOT.topic_cd or REQ.request_cd'),
  values: token('Identifiers and values of all observations, in order'),
  patient: token('First PT.patient_id'),
  observations: number('OBS objects'),
  patients: number('PT objects'),
  new_observations: number('DST.new_observations_qty: results that wait in the device'),
  is_write: number('1 for directives, operator and patient lists sent to a device'),
  bytes: number('Length of the message'),
  complete: number('0 where bytes were lost inside the message'),
});

export const poctEvents = ['poct1a_lost', 'poct1a_bad_xml', 'poct1a_junk'] as const;
