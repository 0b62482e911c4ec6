import { number, observation, text } from '../../observation.ts';

export const mdnsQuery = observation('mdns.query', 'Names asked for by multicast.', {
  name: text('First name asked for'),
  query_type: text('Its type'),
  questions: number('Questions'),
});

export const mdnsResponse = observation('mdns.response', 'What a device says it is and offers.', {
  host: text('Name of the first address record'),
  addresses: text('First addresses, separated by blanks'),
  services: text('Kinds of service, for instance _ipp._tcp, separated by blanks'),
  model: text('Model in a TXT record (md, ty, model, usb_MDL, am)'),
  vendor: text('Maker in a TXT record (mfg, manufacturer, usb_MFG, vendor)'),
  version: text('Version in a TXT record (fw, fv, srcvers, vers, version)'),
  records: number('Records'),
});

export const mdnsEvents = ['dns_bad_name', 'dns_pointer_loop', 'dns_bad_record', 'mdns_bad_header'] as const;
