import { number, observation, text, token } from '../../observation.ts';
import { events as tlsEvents, observations as tlsObservations } from '../tls/events.ts';

export const request = observation('rdp.request', 'Connection request of a client.', {
  cookie: token('Value of the routing cookie: usually the name of the user.'),
  protocols: text('Security asked for: `standard` or a list of `tls`, `credssp`, `rdstls`, `aad`.'),
});

export const response = observation('rdp.response', 'Answer of the server to the connection request.', {
  protocol: text('Security chosen.'),
  failure: number('Failure code, where the server refuses.'),
});

export const client = observation(
  'rdp.client',
  'What a client says of itself, where the connection is not inside TLS.',
  {
    name: text('Name of the computer.'),
    build: number('Build of the client software.'),
  },
);

export const observations = [request, response, client, ...tlsObservations];

export const BAD_TPKT = 'rdp.bad_tpkt';

export const events = [BAD_TPKT, ...tlsEvents];
