import { number, observation, text, token } from '../../observation.ts';
import { events as ntlmEvents, observations as ntlmObservations } from '../ntlm/events.ts';
import { events as tlsEvents, observations as tlsObservations } from '../tls/events.ts';

export const message = observation(
  'ldap.message',
  'Operation of LDAP or its result; entries found are counted, not told.',
  {
    operation: text('bind, search, modify, add, delete, rename, compare, extended, unbind, abandon.'),
    is_request: number('1 request, 0 result.'),
    scope: text('base, one or sub (search).'),
    base: token('Name that the operation is about.'),
    user: token('Name of the one who binds.'),
    auth: text('simple, anonymous, or the mechanism of SASL.'),
    result: number('Result code of RFC 4511 section 4.1.9.'),
    entries: number('Entries that a search has found.'),
  },
);

export const observations = [message, ...ntlmObservations, ...tlsObservations];

export const BAD_MESSAGE = 'ldap.bad_message';

export const events = [BAD_MESSAGE, ...ntlmEvents, ...tlsEvents];
