import { number, observation, text } from '../../observation.ts';
import { events as tlsEvents, observations as tlsObservations } from '../tls/events.ts';

export const request = observation('socks.request', 'Request to a proxy of SOCKS.', {
  version: number('4 or 5.'),
  command: number('1 connect, 2 bind, 3 UDP.'),
  host: text('Name of the host asked for, where a name is given.'),
  port: number('Port asked for.'),
});

export const reply = observation('socks.reply', 'Reply of the proxy.', {
  version: number('4 or 5.'),
  ok: number('1 granted, 0 refused.'),
});

export const observations = [request, reply, ...tlsObservations];

export const BAD_MESSAGE = 'socks.bad_message';

export const events = [BAD_MESSAGE, ...tlsEvents];
