import { number, observation, text } from '../../observation.ts';

export const request = observation('rtsp.request', 'Request of RTSP.', {
  method: text('Method.'),
  user_agent: text('Software of the client.'),
  authorized: number('1 where it carries credentials.'),
});

export const response = observation('rtsp.response', 'Response of RTSP.', {
  status: number('Status code.'),
  server: text('Software of the server.'),
});

export const observations = [request, response];

export const BAD_START_LINE = 'rtsp.bad_start_line';
export const BAD_LENGTH = 'rtsp.bad_length';

export const events = [BAD_START_LINE, BAD_LENGTH];
