import { number, observation, text, token } from '../../observation.ts';

export const dhcpMessage = observation('dhcp.message', 'A DHCPv4 or BOOTP message.', {
  message_type: text(
    'DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM, ...; BOOTREQUEST or BOOTREPLY without option 53',
  ),
  xid: number('Transaction id'),
  mac: text('Client hardware address'),
  hostname: text('Option 12'),
  vendor_class: text('Option 60'),
  user_class: text('Option 77'),
  parameters: text('Option 55: requested options in order, with commas'),
  option_order: text('Codes of all options in order, with commas'),
  client_id: token('Option 61'),
  client_id_is_mac: number('1 where option 61 is the hardware address'),
  requested_ip: text('Option 50'),
  client_ip: text('ciaddr'),
  your_ip: text('yiaddr: the address given'),
  server_id: text('Option 54'),
  relay_ip: text('giaddr'),
  next_server_ip: text('siaddr'),
  router: text('First address of option 3'),
  name_server: text('First address of option 6'),
  domain: text('Option 15'),
  boot_file: text('Option 67 or the file field'),
  lease_s: number('Option 51, seconds'),
  mud_url: text('Option 161 (RFC 8520)'),
  fqdn: text('Option 81, in text or DNS form'),
  secs: number('Seconds since the client began'),
});

export const dhcpEvents = ['dhcp_bad_header', 'dhcp_bad_option', 'dhcp_no_end', 'dhcp_bad_overload'] as const;
