import { number, observation, text } from '../../observation.ts';

export const s7Connect = observation('s7comm.connect', 'A COTP connection request or confirmation.', {
  is_response: number('1 for the confirmation'),
  calling_tsap: number('TSAP of who asks: kind of connection in the high byte, rack and slot in the low one'),
  called_tsap: number('TSAP that is asked for'),
});

export const s7Message = observation('s7comm.message', 'An S7 communication message.', {
  pdu: text('job, ack, ack-data or userdata'),
  function: text('read, write, setup, download, upload, start, stop, ... or the group of userdata'),
  function_code: number('Function code, of userdata its group'),
  sub_function: number('Sub-function of userdata'),
  items: number('Items of a read or write'),
  area: number('Area of the first item: 129 inputs, 130 outputs, 131 flags, 132 data block'),
  block: number('Data block of the first item'),
  address: number('Byte address of the first item'),
  reference: number('Reference that joins request and answer'),
  error_class: number('Error class'),
  error_code: number('Error code'),
  is_write: number('1 where the function changes something'),
  is_plus: number('1 for S7comm-plus, of which no more is read'),
});

export const s7Events = ['s7comm_bad_tpkt', 's7comm_bad_cotp', 's7comm_bad_header'] as const;
