import { number, observation, text } from '../../observation.ts';

export const modbusRequest = observation('modbus.request', 'A request to a Modbus server.', {
  function: text('Name of the function'),
  function_code: number('Function code'),
  unit: number('Unit identifier'),
  address: number('First register or coil, from 0'),
  quantity: number('Registers or coils'),
  is_write: number('1 where the request changes something'),
  sub_function: number('Sub-function of diagnostics, MEI type of encapsulated transport'),
  transaction: number('Transaction identifier'),
});

export const modbusResponse = observation('modbus.response', 'An answer of a Modbus server.', {
  function: text('Name of the function'),
  function_code: number('Function code, without the exception bit'),
  unit: number('Unit identifier'),
  exception: number('Exception code: 1 illegal function, 2 illegal address, 3 illegal value, ...'),
  transaction: number('Transaction identifier'),
  vendor: text('Device identification: vendor name'),
  product: text('Device identification: product code'),
  revision: text('Device identification: revision'),
  bytes: number('Length of the answer'),
});

export const modbusEvents = ['modbus_bad_length', 'modbus_bad_protocol', 'modbus_lost'] as const;
