import { number, observation, text, token } from '../../observation.ts';

export const request = observation('tftp.request', 'Request for a file.', {
  operation: text('read or write.'),
  mode: text('netascii, octet or mail.'),
  file: token('Name of the file.'),
  transfer_bytes: number('Size that the tsize option of a write says.'),
});

export const error = observation('tftp.error', 'A transfer was refused or broken off.', {
  code: number('Error code of RFC 1350.'),
});

export const observations = [request, error];
export const events: readonly string[] = [];
