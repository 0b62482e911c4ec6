import { number, observation, text, token } from '../../observation.ts';

export const contecBlock = observation(
  'contec.block',
  'One block of the stream from a Contec CMS8000 to its central station.',
  {
    block: text('patient, bed, telemetry, sync, hello or error'),
    bed: number('Bed number'),
    patient: token('Patient number'),
    signal: text('What a telemetry block carries: ecg, spo2, pressure, temperature or its number'),
    bytes: number('Length of the block'),
  },
);

export const contecEvents = ['contec_bad_block', 'contec_lost'] as const;
