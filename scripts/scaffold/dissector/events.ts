import { number, observation, text } from '../../../src/decode/observation.ts';

export const exampleMessage = observation('example.message', 'A message of example.', {
  type: text('What it does: hello, command, answer; `type n` where the number is not known.'),
  body_bytes: number('Length of its body.'),
  is_write: number('1 where it changes something at the receiver.'),
});

export const exampleEvents = ['example_bad_header', 'example_lost'] as const;
