import { number, observation, text, token } from '../../observation.ts';

export const ivConnect = observation('intellivue.connect_indication', 'A monitor says by broadcast that it is there.', {
  mac: text('MAC address that the monitor says it has'),
  ip: text('IP address that the monitor says it has'),
  manufacturer: text('NOM_ATTR_ID_MODEL, manufacturer'),
  model: text('NOM_ATTR_ID_MODEL, model number'),
  serial: text('Serial number in the production specification'),
  software: text('First software revision in the production specification'),
  label: token('Equipment label: where the monitor stands'),
});

export const ivAssociation = observation(
  'intellivue.association',
  'A step of the association between client and monitor.',
  {
    step: text('request, accept, refuse, release-request, release-response or abort'),
    bytes: number('Length of the message'),
  },
);

export const ivMdsCreate = observation('intellivue.mds_create', 'The monitor describes itself to a new client.', {
  manufacturer: text('NOM_ATTR_ID_MODEL, manufacturer'),
  model: text('NOM_ATTR_ID_MODEL, model number'),
  serial: text('Serial number in the production specification'),
  software: text('First software revision in the production specification'),
  label: token('Bed or equipment label'),
  system_id: token('NOM_ATTR_SYS_ID'),
});

export const ivOperation = observation('intellivue.operation', 'A request or result after the association.', {
  operation: text('poll, poll-extended, get, set, confirmed-set, event, confirmed-event, create, delete or action'),
  phase: text('request, result, linked or error'),
  object_class: number('Class of the polled object: 6 numeric, 9 wave, 42 patient, 54 alarm, 33 system'),
  invoke_id: number('Invoke id'),
  is_write: number('1 for set, create, delete and unknown actions'),
  error: number('Error value'),
  bytes: number('Length of the message'),
});

export const ivEvents = ['intellivue_bad_length', 'intellivue_bad_attribute', 'intellivue_bad_header'] as const;
