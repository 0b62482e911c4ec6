import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { ldapGap, openLdap, probeLdap, readLdap } from './parser.ts';
import type { LdapState } from './parser.ts';

/** LDAP over TCP and UDP, up to TLS or sealing. */
export const dissector: Dissector<LdapState> = {
  name: 'ldap',
  transport: ['tcp', 'udp'],
  ports: [389, 3268],
  observations,
  events,
  retain: 40_000,
  probe: probeLdap,
  open: openLdap,
  read: readLdap,
  gap: ldapGap,
};
