import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { ftpGap, openFtp, probeFtp, readFtp } from './parser.ts';
import type { FtpState } from './parser.ts';

/** Control connection of FTP, up to TLS where that is asked for. */
export const dissector: Dissector<FtpState> = {
  name: 'ftp',
  transport: ['tcp'],
  ports: [21],
  observations,
  events,
  retain: 40_000,
  probe: probeFtp,
  open: openFtp,
  read: readFtp,
  gap: ftpGap,
};
