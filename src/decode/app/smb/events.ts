import { number, observation, text, token } from '../../observation.ts';
import { events as rpcEvents, observations as rpcObservations } from '../dcerpc/events.ts';

export const negotiate = observation('smb.negotiate', 'What the server chose.', {
  dialect: text('`1`, `2.0.2`, `2.1`, `3.0`, `3.0.2`, `3.1.1`, `2.x` (negotiation goes on in version 2).'),
  signing: text('`required`, `enabled` or `off`.'),
});

export const session = observation('smb.session', 'Outcome of a session setup.', {
  status: number('NT status; 0 is success.'),
  ok: number('1 where the session is set up.'),
  guest: number('1 where it is a guest or anonymous session.'),
});

export const software = observation('smb.software', 'Software that an SMB 1 session setup names.', {
  os: text('Native operating system.'),
  lan_manager: text('Native LAN manager.'),
});

export const command = observation('smb.command', 'One message.', {
  command: text('Name of the command; `encrypted` and `compressed` for messages that cannot be read.'),
  is_request: number('1 request, 0 response.'),
  status: number('NT status of a response.'),
  message_id: number('Number that a request and its response share on a connection.'),
  encrypted: number('1 where the message is encrypted.'),
  tree_id: number('Number of the tree within its session.'),
  tree: token('Path of the share (tree connects).'),
  share: text('Name of a share that Windows itself has: IPC$, ADMIN$, C$, SYSVOL, …'),
  file: token('Name of the file, or the new name of a rename.'),
  extension: token('What follows the last dot of that name.'),
  pipe: text('Name of a well-known pipe: svcctl, samr, …'),
  handle: token('Handle of the open file.'),
  bytes: number('Bytes read or written.'),
  action: text('open, create, overwrite, truncate, rename, delete.'),
  subcommand: number('Subcommand of an SMB 1 transaction; control code of an IOCTL.'),
});

export const observations = [negotiate, session, software, command, ...rpcObservations];

export const BAD_MESSAGE = 'smb.bad_message';
export const BAD_FRAMING = 'smb.bad_framing';
export const BAD_COMPRESSION = 'smb.bad_compression';

export const events = [BAD_MESSAGE, BAD_FRAMING, BAD_COMPRESSION, ...rpcEvents];
