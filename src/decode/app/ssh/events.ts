import { number, observation, text } from '../../observation.ts';

export const banner = observation('ssh.banner', 'Identification string of one side.', {
  version: text('Protocol version: 1.5, 1.99, 2.0.'),
  software: text('Software with its comments.'),
  from_client: number('1 where the originator sent it.'),
});

export const keyExchange = observation('ssh.kexinit', 'What one side offers for the key exchange (SSH 2).', {
  hassh: text('HASSH of the client, hasshServer of the server: MD5 of its algorithm lists.'),
  from_client: number('1 where the originator sent it.'),
});

export const encrypted = observation('ssh.encrypted', 'Both sides have changed to their new keys.', {
  sides: number('Always 2.'),
});

export const observations = [banner, keyExchange, encrypted];

export const BAD_BANNER = 'ssh.bad_banner';
export const BAD_PACKET = 'ssh.bad_packet';

export const events = [BAD_BANNER, BAD_PACKET];
