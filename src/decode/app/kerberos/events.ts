import { number, observation, text, token } from '../../observation.ts';

export const message = observation('kerberos.message', 'Message between a client and a key distribution centre.', {
  type: text('as_req, as_rep, tgs_req, tgs_rep, ap_req, ap_rep, error.'),
  realm: text('Realm.'),
  client: token('Name of the client.'),
  service_class: text('First part of the service name, where it is a well-known class: krbtgt, cifs, host, ldap, …'),
  service: token('Whole name of the service.'),
  error_code: number('Error code of RFC 4120 section 7.5.9.'),
  etype: number('First encryption type offered; in a reply that of the ticket (23 is RC4).'),
  preauth: number('1 where a request for a ticket shows an encrypted time stamp, 0 where it does not.'),
});

export const observations = [message];

export const BAD_MESSAGE = 'kerberos.bad_message';

export const events = [BAD_MESSAGE];
