import { number, observation, text } from '../../observation.ts';

export const cdpNeighbour = observation(
  'cdp.neighbour',
  'A Cisco device tells its neighbour on the cable what it is.',
  {
    device_id: text('Device id'),
    port_id: text('Port'),
    platform: text('Platform, the model'),
    software: text('Software version'),
    address: text('First IPv4 address'),
    capabilities: number('Capabilities: bits 0 router, 1 and 3 bridge and switch, 4 host, 7 phone'),
    native_vlan: number('Native VLAN'),
    version: number('Version of the protocol'),
    ttl_s: number('Time to live, seconds'),
  },
);

export const cdpEvents = ['cdp_bad_tlv', 'cdp_bad_header'] as const;
