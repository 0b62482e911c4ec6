import { number, observation, text } from '../../observation.ts';

export const enipIdentity = observation('enip.identity', 'A device says what it is (ListIdentity).', {
  vendor_id: number('Vendor number of ODVA'),
  device_type: number('Device type'),
  product_code: number('Product code'),
  revision: text('Major and minor revision'),
  serial: text('Serial number, hexadecimal'),
  product: text('Product name'),
  ip: text('Address that the device says it has'),
  state: number('State'),
});

export const enipCommand = observation('enip.command', 'An encapsulation command without CIP.', {
  command: text('list-services, list-identity, list-interfaces, register-session or unregister-session'),
  is_response: number('1 for the answer'),
  status: number('Status of the answer'),
});

export const enipCip = observation('enip.cip', 'A CIP request or answer.', {
  service: text('Name of the service'),
  service_code: number('Service code, without the answer bit'),
  is_response: number('1 for the answer'),
  class_id: number('Class of the path: 1 identity, 2 router, 6 connections, 107 symbols, ...'),
  instance: number('Instance of the path'),
  attribute: number('Attribute of the path'),
  status: number('General status of the answer'),
  is_write: number('1 where the service changes something'),
  connected: number('1 over a connection'),
});

export const enipEvents = ['enip_bad_header', 'enip_bad_item', 'enip_bad_cip', 'enip_long', 'enip_lost'] as const;
