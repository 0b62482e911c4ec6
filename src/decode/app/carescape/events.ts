import { number, observation, text, token } from '../../observation.ts';

export const carescapePresence = observation(
  'carescape.presence',
  'A node of the Unity network says by broadcast that it is there (RWHAT).',
  {
    ip: text('Address that the node says it has'),
    sequence: number('Counter of the message'),
    location: text('Unit and bed as configured, `unit|bed`'),
    patient: token('Name of the patient admitted'),
    services: number('Service entries that carry a port'),
    bytes: number('Length of the message'),
  },
);

export const carescapeTime = observation(
  'carescape.time',
  'The time that the master of the Unity network gives to all nodes.',
  {
    ip: text('Address that the master says it has'),
    location: text('Unit and room of the master, `unit|room`'),
    skew_s: number('Given time minus time of the frame, seconds; local time may be given'),
  },
);

export const carescapeEvents = ['carescape_bad_message'] as const;
