import { number, observation, text } from '../../observation.ts';

export const dnsQuery = observation('dns.query', 'A question.', {
  name: text('The longest end of the name whose labels have at most 40 bytes each and 80 together'),
  zone: text('The last three labels of it'),
  name_length: number('Bytes of the whole name as text'),
  labels: number('Labels of the whole name'),
  first_label_length: number('Bytes of the first label'),
  entropy: number('Shannon entropy of the first label, bits per byte'),
  query_type: text('A, AAAA, PTR, ... or its number'),
  id: number('Message id'),
  questions: number('Questions in the message'),
  opcode: number('0 query, 4 notify, 5 update'),
});

export const dnsResponse = observation('dns.response', 'An answer.', {
  name: text('Name asked for, as in dns.query'),
  zone: text('The last three labels of it'),
  name_length: number('Bytes of the whole name as text'),
  query_type: text('A, AAAA, PTR, ... or its number'),
  rcode: number('0 no error, 2 server failure, 3 no such name, 5 refused'),
  answers: number('Records in the answer section'),
  addresses: text('First addresses of the answer, separated by blanks'),
  ttl_s: number('Smallest time to live in the answer, seconds'),
  authoritative: number('1 where the server has authority'),
  truncated: number('1 where the answer was cut to fit a datagram'),
  data_bytes: number('Bytes of TXT, NULL and CNAME data in the answer'),
  id: number('Message id'),
  opcode: number('0 query, 4 notify, 5 update'),
});

export const dnsEvents = [
  'dns_bad_name',
  'dns_pointer_loop',
  'dns_bad_record',
  'dns_bad_header',
  'dns_long_message',
] as const;
