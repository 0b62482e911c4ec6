import { number, observation, text, token } from '../../observation.ts';

export const dhcpv6Message = observation('dhcpv6.message', 'A DHCPv6 message, of a relayed one the innermost.', {
  message_type: text(
    'SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORMATION-REQUEST',
  ),
  xid: number('Transaction id'),
  client: token('Client DUID'),
  client_mac: text('Hardware address in the client DUID'),
  server: token('Server DUID'),
  server_mac: text('Hardware address in the server DUID'),
  address: text('First address of an identity association'),
  lifetime_s: number('Its valid lifetime, seconds'),
  name_server: text('First DNS server'),
  requested_options: text('Option request, with commas'),
  option_order: text('Codes of all options in order, with commas'),
  fqdn: text('Client FQDN'),
  vendor_enterprise: number('Enterprise number of the vendor class'),
  vendor_class: text('First vendor class'),
  mud_url: text('Manufacturer usage description (RFC 8520)'),
  relays: number('Relays that the message went through'),
});

export const dhcpv6Events = ['dhcpv6_bad_option', 'dhcpv6_bad_header'] as const;
