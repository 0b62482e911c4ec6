import { number, observation, text, token } from '../../observation.ts';
import { events as tlsEvents, observations as tlsObservations } from '../tls/events.ts';

export const server = observation('ftp.server', 'Greeting of the server.', {
  banner: text('First line of the greeting without its code.'),
});

export const command = observation('ftp.command', 'Command of the client.', {
  verb: text('Verb, `OTHER` where it is not a known one.'),
  user: token('Name given with USER.'),
  file: token('Path given with a command about files.'),
});

export const reply = observation('ftp.reply', 'Final line of a reply.', {
  code: number('Reply code.'),
  verb: text('Verb of the last command before it.'),
  transfer_bytes: number('Size that the server says a transfer has.'),
});

export const login = observation('ftp.login', 'Outcome of a login.', {
  ok: number('1 accepted, 0 refused.'),
  code: number('Reply code.'),
});

export const observations = [server, command, reply, login, ...tlsObservations];

export const BAD_LINE = 'ftp.bad_line';

export const events = [BAD_LINE, ...tlsEvents];
