import { Type } from 'typebox';
import type { Static } from 'typebox';

export const detectConfig = Type.Object(
  {
    disabled: Type.Array(Type.String(), { default: [], description: 'Ids of detectors that are switched off.' }),
    folder: Type.String({
      default: '',
      description:
        'A folder with detectors of the site: one sub-folder each, with an index.ts as in docs/how-to/add-a-detector.md.',
    }),
    detectors: Type.Record(
      Type.String(),
      Type.Record(Type.String(), Type.Union([Type.Number(), Type.Boolean(), Type.String()])),
      { default: {}, description: 'Parameters by detector id, see `wardwatch detectors describe ID`.' },
    ),
  },
  { default: {}, additionalProperties: false },
);
export type DetectConfig = Static<typeof detectConfig>;
