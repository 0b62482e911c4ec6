import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openSmb, probeSmb, readSmb, smbGap, WHOLE } from './parser.ts';
import type { SmbState } from './parser.ts';

/** SMB 1, 2 and 3, with NTLM logins and DCE/RPC over named pipes. */
export const dissector: Dissector<SmbState> = {
  name: 'smb',
  transport: ['tcp'],
  ports: [445, 139],
  observations,
  events,
  retain: WHOLE + 64,
  carriesPhi: true,
  probe: probeSmb,
  open: openSmb,
  read: readSmb,
  gap: smbGap,
};
