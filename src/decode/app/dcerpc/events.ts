import { number, observation, text } from '../../observation.ts';
import { events as ntlmEvents, observations as ntlmObservations } from '../ntlm/events.ts';

export const bind = observation('dcerpc.bind', 'A client binds to an interface.', {
  interface: text('Name of the interface, its UUID where it is not well known.'),
});

export const call = observation('dcerpc.call', 'First fragment of a call.', {
  interface: text('Name or UUID of the interface, absent where the bind was not seen.'),
  opnum: number('Number of the operation.'),
});

export const fault = observation('dcerpc.fault', 'A call was refused.', {
  status: number('Fault status.'),
});

export const observations = [bind, call, fault, ...ntlmObservations];

export const BAD_PDU = 'dcerpc.bad_pdu';

export const events = [BAD_PDU, ...ntlmEvents];
