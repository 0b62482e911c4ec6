import { number, observation, text } from '../../observation.ts';

export const lldpNeighbour = observation('lldp.neighbour', 'A device tells its neighbour on the cable what it is.', {
  chassis_id: text('Chassis: MAC address, network address or name'),
  port_id: text('Port: MAC address, network address or name'),
  port_description: text('Port description'),
  system_name: text('System name'),
  system_description: text('System description'),
  capabilities: number('Enabled capabilities: bits 2 bridge, 3 access point, 4 router, 5 telephone, 7 station'),
  management_ip: text('First management address'),
  ttl_s: number('Time to live, seconds; 0 = the neighbour leaves'),
  mud_url: text('Manufacturer usage description (RFC 8520)'),
  hardware: text('LLDP-MED: hardware revision'),
  firmware: text('LLDP-MED: firmware revision'),
  software: text('LLDP-MED: software revision'),
  serial: text('LLDP-MED: serial number'),
  manufacturer: text('LLDP-MED: manufacturer name'),
  model: text('LLDP-MED: model name'),
  vlan: number('Port VLAN id'),
  tlvs: number('Elements in the frame'),
});

export const lldpEvents = ['lldp_bad_tlv', 'lldp_bad_header'] as const;
