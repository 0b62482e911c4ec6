import { number, observation, text, token } from '../../observation.ts';

export const snmpMessage = observation('snmp.message', 'An SNMP message.', {
  version: number('1, 2 (2c) or 3'),
  pdu: text('get, get-next, get-bulk, set, response, trap, inform, report or encrypted'),
  community: token('Community of versions 1 and 2c'),
  is_default_community: number('1 where the community is public or private'),
  user: token('User name of version 3'),
  security: text('noAuthNoPriv, authNoPriv or authPriv'),
  engine_enterprise: number('Enterprise number in the engine id of version 3'),
  engine: token('Engine id of version 3'),
  request_id: number('Request id'),
  error_status: number('0 none, 2 no such name, 6 no access, 16 authorization, ...'),
  oid: text('First object identifier'),
  variables: number('Variable bindings'),
  is_write: number('1 for set'),
  sys_descr: text('Value of sysDescr.0 in a response'),
  sys_object_id: text('Value of sysObjectID.0 in a response'),
  sys_name: text('Value of sysName.0 in a response'),
});

export const snmpEvents = ['snmp_bad_ber', 'snmp_bad_header'] as const;
