import { number, observation, text } from '../../observation.ts';

export const negotiation = observation('telnet.negotiation', 'First option negotiation of a flow.', {
  option: number('Number of the option.'),
});

export const login = observation(
  'telnet.login',
  'A step of logging in, told by the words around it, which are not kept.',
  {
    outcome: text('`prompt`: a name is asked for; `attempt`: a password was given; `failed`; `accepted`.'),
    attempts: number('Passwords given on this flow so far.'),
  },
);

export const observations = [negotiation, login];
export const events: readonly string[] = [];
