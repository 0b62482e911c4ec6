import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { kerberosGap, MAX_MESSAGE, openKerberos, probeKerberos, readKerberos } from './parser.ts';
import type { KerberosState } from './parser.ts';

/** Kerberos 5 over UDP and TCP. Zeek calls the service `krb`. */
export const dissector: Dissector<KerberosState> = {
  name: 'krb',
  transport: ['udp', 'tcp'],
  ports: [88],
  observations,
  events,
  retain: MAX_MESSAGE + 64,
  probe: probeKerberos,
  open: openKerberos,
  read: readKerberos,
  gap: kerberosGap,
};
