import { number, observation, text } from '../../observation.ts';

export const request = observation('sip.request', 'Request of SIP.', {
  method: text('Method, `OTHER` where it is not a registered one.'),
  user_agent: text('Software of the sender.'),
  authorized: number('1 where it carries credentials.'),
});

export const response = observation('sip.response', 'Response of SIP.', {
  status: number('Status code.'),
  method: text('Method that it answers (CSeq).'),
  user_agent: text('Software of the sender.'),
});

export const registerFailure = observation(
  'sip.register_failure',
  'A registration was refused for good (not merely challenged).',
  {
    status: number('Status code.'),
  },
);

export const observations = [request, response, registerFailure];

export const BAD_START_LINE = 'sip.bad_start_line';
export const BAD_LENGTH = 'sip.bad_length';

export const events = [BAD_START_LINE, BAD_LENGTH];
