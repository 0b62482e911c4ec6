import { number, observation, text } from '../../observation.ts';

export const dnp3Message = observation('dnp3.message', 'The first fragment of a DNP3 application message.', {
  function: text('read, write, select, operate, direct-operate, response, ...'),
  function_code: number('Function code'),
  source: number('Link address of the sender'),
  destination: number('Link address of the receiver'),
  from_master: number('1 where the sender is the master'),
  group: number('Group of the first object'),
  variation: number('Variation of the first object'),
  indications: number('Internal indications of a response'),
  is_write: number('1 where the function changes something'),
});

export const dnp3Link = observation('dnp3.link', 'A link frame without application data.', {
  function_code: number('Link function'),
  source: number('Link address of the sender'),
  destination: number('Link address of the receiver'),
  from_master: number('1 where the sender is the master'),
});

export const dnp3Events = ['dnp3_bad_crc', 'dnp3_bad_header', 'dnp3_lost'] as const;
