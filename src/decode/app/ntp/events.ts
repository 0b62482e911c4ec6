import { number, observation, text } from '../../observation.ts';

export const ntpMessage = observation('ntp.message', 'An NTP message.', {
  mode: text('active, passive, client, server, broadcast, control or private'),
  version: number('Version'),
  leap: number('Leap indicator, 3 = not synchronised'),
  stratum: number('Stratum: 0 kiss of death or unknown, 1 reference clock'),
  reference: text('Reference: four letters of a clock or kiss code, or the address of the source'),
  poll: number('Poll interval, power of two seconds'),
  precision: number('Precision, power of two seconds'),
  skew_s: number('Transmit time minus time of the frame, seconds; not of clients, whose time is often random'),
  operation: number('Operation of a control message, request code of a private one (42 = list of clients)'),
  is_response: number('1 for the answer to a control or private message'),
  bytes: number('Length of the message'),
});

export const ntpEvents = ['ntp_bad_header'] as const;
