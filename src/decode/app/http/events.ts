import { number, observation, text } from '../../observation.ts';
import { sdcMessage } from './sdc.ts';
import { events as tlsEvents, observations as tlsObservations } from '../tls/events.ts';

export const request = observation('http.request', 'Request of HTTP/1.', {
  method: text('Method, `OTHER` where it is not a registered one.'),
  host: text('Host asked for, with its port where one is written.'),
  user_agent: text('Software of the client.'),
  path_shape: text('Path with everything that may be an identifier blanked as {id}, without the query.'),
  params: number('Parameters in the query.'),
  content_type: text('Media type of the body.'),
  body_bytes: number('Bytes of the body, absent where it is chunked.'),
  authorization: text('Scheme of the credentials: basic, bearer, digest, negotiate, ntlm, other.'),
  fhir_resource: text('Resource type, where the path is that of a FHIR server.'),
});

export const response = observation('http.response', 'Response of HTTP/1.', {
  status: number('Status code.'),
  server: text('Software of the server.'),
  content_type: text('Media type of the body.'),
  body_bytes: number('Bytes of the body, absent where it is chunked or ends with the connection.'),
  www_authenticate: text('Scheme asked for: basic, bearer, digest, negotiate, ntlm, other.'),
  upgrade: number('1 where the connection goes on with another protocol.'),
});

export const observations = [request, response, sdcMessage, ...tlsObservations];

export const BAD_START_LINE = 'http.bad_start_line';
export const BAD_LENGTH = 'http.bad_length';
export const AMBIGUOUS_LENGTH = 'http.ambiguous_length';
export const BAD_CHUNK = 'http.bad_chunk';
export const HTTP_2 = 'http.version_2';

export const events = [BAD_START_LINE, BAD_LENGTH, AMBIGUOUS_LENGTH, BAD_CHUNK, HTTP_2, ...tlsEvents];
