import { number, observation, text } from '../../observation.ts';

export const bacnetMessage = observation('bacnet.message', 'A BACnet/IP message that carries an APDU.', {
  pdu: text('confirmed-request, unconfirmed-request, simple-ack, complex-ack, segment-ack, error, reject or abort'),
  service: text('Name of the service'),
  service_choice: number('Number of the service'),
  invoke_id: number('Invoke id'),
  object_type: number('Type of the first object: 0 analog input, 8 device, ...'),
  instance: number('Instance of the first object'),
  property: number('First property: 85 present value, 76 object list, ...'),
  device_instance: number('I-Am: instance of the device that speaks'),
  vendor_id: number('I-Am: vendor number of ASHRAE'),
  max_apdu: number('I-Am: longest APDU'),
  low_limit: number('Who-Is: first instance asked for'),
  high_limit: number('Who-Is: last instance asked for'),
  is_write: number('1 where the service changes something'),
  error_class: number('Error class'),
  error_code: number('Error code'),
  reason: number('Reject or abort reason'),
  bvlc_function: number('BVLC function: 10 unicast, 11 broadcast, 4 forwarded'),
  source_network: number('Network that a router says the message comes from'),
});

export const bacnetControl = observation('bacnet.control', 'A message of BVLC or of the network layer, without APDU.', {
  bvlc_function: number('BVLC function: 1 write table, 5 register foreign device, ...'),
  network_message: number('Network layer message: 0 who is router, 1 I am router, ...'),
  is_write: number('1 where tables or routes are changed'),
});

export const bacnetEvents = ['bacnet_bad_length', 'bacnet_bad_npdu', 'bacnet_bad_apdu', 'bacnet_bad_header'] as const;
