import { number, observation, text } from '../../observation.ts';

export const version = observation('vnc.version', 'Protocol version of one side.', {
  version: text('For instance `003.008`.'),
  from_client: number('1 where the client sent it.'),
});

export const security = observation('vnc.security', 'Security that the client chose, or the server in version 3.3.', {
  offered: text('Types offered, comma between.'),
  chosen: number('Type chosen: 1 none, 2 VNC password, 16 Tight, 19 VeNCrypt, 30 Apple, …'),
});

export const result = observation('vnc.auth', 'Outcome of the login.', {
  ok: number('1 accepted, 0 refused.'),
});

export const observations = [version, security, result];

export const BAD_MESSAGE = 'vnc.bad_message';

export const events = [BAD_MESSAGE];
