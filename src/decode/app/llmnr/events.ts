import { number, observation, text } from '../../observation.ts';

export const llmnrQuery = observation('llmnr.query', 'A name asked for in the local network.', {
  name: text('The longest end of the name whose labels have at most 40 bytes each and 80 together'),
  query_type: text('A, AAAA, PTR, ... or its number'),
  id: number('Message id'),
});

export const llmnrResponse = observation('llmnr.response', 'Someone says that the name is its own.', {
  name: text('Name asked for'),
  query_type: text('A, AAAA, PTR, ... or its number'),
  addresses: text('First addresses of the answer, separated by blanks'),
  answers: number('Records in the answer'),
  conflict: number('1 where the name is known to be used twice'),
  id: number('Message id'),
});

export const llmnrEvents = ['dns_bad_name', 'dns_pointer_loop', 'dns_bad_record', 'llmnr_bad_header'] as const;
