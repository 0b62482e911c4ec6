import { number, observation, text } from '../../observation.ts';

export const opcuaHello = observation('opcua.hello', 'A client greets a server.', {
  endpoint: text('Endpoint that is asked for'),
  version: number('Version of the protocol'),
});

export const opcuaChannel = observation('opcua.channel', 'A secure channel is opened or renewed.', {
  policy: text('Security policy, the last part of its URI: None, Basic256Sha256, ...'),
  channel: number('Number of the channel'),
  is_response: number('1 from the server'),
  has_certificate: number('1 where the sender shows a certificate'),
});

export const opcuaService = observation('opcua.service', 'A service on a channel without encryption.', {
  service: text('Name of the service'),
  service_id: number('Number of the message type'),
  is_response: number('1 for the answer'),
  is_write: number('1 where the service changes something'),
  request_id: number('Number that joins request and answer'),
});

export const opcuaError = observation('opcua.error', 'The connection is refused or ended with an error.', {
  code: number('Status code'),
});

export const opcuaEvents = ['opcua_bad_header', 'opcua_bad_size', 'opcua_lost'] as const;
