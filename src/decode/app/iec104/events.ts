import { number, observation, text } from '../../observation.ts';

export const iecAsdu = observation('iec104.asdu', 'A data unit of IEC 60870-5-104.', {
  type_id: number('Type identification: 1 to 40 monitoring, 45 to 69 commands, 100 interrogation, ...'),
  cause: number('Cause of transmission: 6 activation, 7 confirmation, 20 interrogated, ...'),
  negative: number('1 where refused'),
  test: number('1 for a test'),
  address: number('Common address of the station'),
  object: number('Address of the first information object'),
  objects: number('Information objects'),
  is_write: number('1 for commands, parameters and files'),
});

export const iecControl = observation('iec104.control', 'Start, stop or test of the transfer.', {
  function: text('startdt, stopdt or testfr, with -act or -con'),
});

export const iecEvents = ['iec104_bad_apci', 'iec104_short_asdu', 'iec104_lost'] as const;
