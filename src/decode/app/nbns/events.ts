import { number, observation, text } from '../../observation.ts';

export const nbnsMessage = observation('nbns.message', 'A NetBIOS name service message.', {
  operation: text('query, status, registration, release, wack or refresh'),
  name: text('NetBIOS name'),
  suffix: number('Kind of the name: 0 workstation, 32 server, 27 and 28 domain controllers'),
  is_response: number('1 for an answer'),
  rcode: number('Result'),
  address: text('Address of the name'),
  is_group: number('1 where the name is a group (a domain)'),
  own_name: text('First name of the answer to a status request'),
  mac: text('Hardware address in the answer to a status request'),
});

export const nbnsEvents = ['nbns_bad_name', 'nbns_bad_record', 'nbns_bad_header'] as const;
