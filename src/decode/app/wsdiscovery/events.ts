import { number, observation, text, token } from '../../observation.ts';

export const wsdMessage = observation('wsdiscovery.message', 'A WS-Discovery message.', {
  action: text('Hello, Bye, Probe, ProbeMatches, Resolve or ResolveMatches'),
  types: text('Local names of the types, separated by blanks'),
  is_dpws_device: number('1 where Device of DPWS is among the types'),
  is_medical_device: number('1 where MedicalDevice of IEEE 11073-20702 is among the types'),
  endpoint: token('Endpoint reference (first match)'),
  message_id: token('MessageID'),
  relates_to: token('RelatesTo: the MessageID answered'),
  xaddr: text('First transport address, without its path'),
  xaddr_count: number('Transport addresses'),
  is_plain_http: number('1 where a transport address is http, not https'),
  scope_count: number('Scopes; their content says where and for whom a device is used and stays inside'),
  metadata_version: number('MetadataVersion'),
  instance_id: number('AppSequence InstanceId: grows when the device restarts'),
  message_number: number('AppSequence MessageNumber'),
  matches: number('Endpoint references in the message'),
});

export const wsdEvents = ['wsdiscovery_cut', 'wsdiscovery_unknown_action', 'wsdiscovery_bad_header'] as const;
