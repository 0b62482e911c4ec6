import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ACTS } from './roles.ts';
import { SOURCES } from './evidence.ts';
import { MAX_PATTERN } from './pattern.ts';

const patterns = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: MAX_PATTERN }), { minItems: 1, maxItems: 48, description });
const act = (description: string) => Type.Enum([...ACTS], { description });
const sourceNames = ['name', 'text', ...SOURCES];

const sign = {
  source: Type.Optional(
    Type.Enum(sourceNames, {
      description:
        'Where a text was seen. `name`: any name that the device has in the network; `text`: any text in which a product may be named.',
    }),
  ),
  serves: Type.Optional(act('It answers in this protocol')),
  uses: Type.Optional(act('It asks in this protocol')),
  client: Type.Optional(Type.String({ description: 'One of its clients is a device of this class' })),
  server: Type.Optional(Type.String({ description: 'One of its servers is a device of this class' })),
  peers: Type.Optional(Type.Integer({ minimum: 1, maximum: 12, description: 'With at least so many partners' })),
};

const condition = Type.Object(
  {
    ...sign,
    glob: Type.Optional(
      patterns(
        'The whole text fits one of these: `*` any text, `?` one character, `{model}` and the like a named part',
      ),
    ),
    words: Type.Optional(patterns('One of these stands in the text as a word or words; `pump*` is a beginning')),
  },
  { additionalProperties: false },
);

/** What a match rule asks for. */
export type ConditionSpec = Static<typeof condition>;

const rule = Type.Object(
  {
    ...condition.properties,
    all: Type.Optional(
      Type.Array(condition, { minItems: 2, maxItems: 6, description: 'All of these hold, instead of a single one' }),
    ),
    weight: Type.Number({
      minimum: -1,
      maximum: 1,
      description:
        'Chance that the device is of this kind when nothing but this is known; below 0: how much it speaks against',
    }),
    verified: Type.Optional(
      Type.Boolean({ default: true, description: 'false: seen in made-up traffic only; cannot make sure on its own' }),
    ),
  },
  { additionalProperties: false },
);

const reference = Type.Object(
  {
    title: Type.String({ minLength: 3, maxLength: 240 }),
    url: Type.Optional(Type.String({ pattern: '^https?://[^\\s]+$', maxLength: 400 })),
  },
  { additionalProperties: false },
);

const testSign = Type.Object(
  { ...sign, value: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })) },
  { additionalProperties: false },
);
export type TestSign = Static<typeof testSign>;

const PORT = '^(tcp|udp)/([1-9][0-9]{0,4}|any)$';
const CLASS = '^[a-z0-9]+(-[a-z0-9]+)*$';

const behaviour = Type.Object(
  {
    does: Type.Enum(['serves', 'uses'], { description: 'Whether others come to it or it goes to others' }),
    protocol: Type.String({ pattern: CLASS, maxLength: 40, description: 'Protocol in lower case' }),
    ports: Type.Optional(
      Type.Array(Type.String({ pattern: PORT }), {
        minItems: 1,
        maxItems: 16,
        description: 'Ports of whoever serves, `tcp/104`; `tcp/any` where sites choose',
      }),
    ),
    peers: Type.Optional(
      Type.Array(Type.String({ pattern: CLASS }), {
        minItems: 1,
        maxItems: 16,
        description:
          'Classes of the other side; `local` any device of the site, `vendor` the maker, `internet` anybody',
      }),
    ),
    hosts: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$', maxLength: 253 }), {
        minItems: 1,
        maxItems: 16,
        description: 'Names of the other side',
      }),
    ),
    note: Type.Optional(Type.String({ maxLength: 400 })),
  },
  { additionalProperties: false },
);
export type Behaviour = Static<typeof behaviour>;

/** A device profile: what the maker, the standards or the hospital declare of a kind of device. */
export const profileSchema = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9-]+/[a-z0-9-]+$', description: 'Folder and file name without its ending' }),
    class: Type.String({ pattern: CLASS, description: 'Class of profiles/classes.json' }),
    title: Type.String({ minLength: 3, maxLength: 120 }),
    vendor: Type.Optional(
      Type.String({ minLength: 2, maxLength: 60, description: 'As profiles/vendors.json writes it' }),
    ),
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 80 })),
    hosted: Type.Optional(
      Type.Boolean({ description: 'Software on hardware of others: the maker of the hardware is the vendor' }),
    ),
    verified: Type.Boolean({
      description: 'false: known from made-up evidence only, which holds its confidence at 0.6',
    }),
    match: Type.Array(rule, { minItems: 1, maxItems: 48 }),
    behaviour: Type.Optional(Type.Array(behaviour, { maxItems: 48 })),
    criticality: Type.Optional(
      Type.Object(
        {
          life_supporting: Type.Optional(Type.Boolean()),
          harm: Type.Optional(
            Type.Enum(['negligible', 'minor', 'moderate', 'serious', 'critical'], {
              description: 'Worst harm of a fault to a patient (ISO 14971)',
            }),
          ),
          iec62304: Type.Optional(
            Type.Enum(['A', 'B', 'C'], { description: 'Software safety class, only where the maker has published it' }),
          ),
          note: Type.Optional(Type.String({ maxLength: 400 })),
        },
        { additionalProperties: false },
      ),
    ),
    phi: Type.Optional(
      Type.Object(
        { stores: Type.Optional(Type.Boolean()), transmits: Type.Optional(Type.Boolean()) },
        { additionalProperties: false, description: 'Data of patients; what is not known is left out' },
      ),
    ),
    response: Type.String({
      minLength: 10,
      maxLength: 600,
      description: 'What may safely be done when it misbehaves, and what not',
    }),
    references: Type.Array(reference, { minItems: 1, maxItems: 24 }),
    tests: Type.Object(
      {
        match: Type.Array(testSign, { minItems: 1, maxItems: 24, description: 'Evidence that it must be known by' }),
        near_miss: Type.Array(testSign, { minItems: 1, maxItems: 24, description: 'Like it, and yet not it' }),
      },
      { additionalProperties: false },
    ),
  },
  { title: 'Wardwatch device profile', additionalProperties: false },
);
export type ProfileSpec = Static<typeof profileSchema>;
export type RuleSpec = ProfileSpec['match'][number];

/** profiles/platforms.yaml: what tells operating systems. */
export const platformsSchema = Type.Object(
  {
    platforms: Type.Array(
      Type.Object(
        {
          os: Type.Optional(Type.String({ description: 'Operating system; left out where the pattern names it' })),
          os_version: Type.Optional(Type.String()),
          source: Type.Enum(sourceNames),
          glob: patterns('The whole text fits one of these'),
          weight: Type.Number({ minimum: 0, maximum: 1 }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type PlatformsSpec = Static<typeof platformsSchema>;

/** profiles/vendors.json: one spelling for each maker, and the numbers under which makers are registered. */
export const vendorsSchema = Type.Object(
  {
    $comment: Type.Optional(Type.String()),
    vendors: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          match: Type.Array(Type.String()),
          kind: Type.Optional(
            Type.Enum(['computer', 'component'], {
              description:
                'computer: makes computers on which others run their products; component: makes network modules that sit in devices of others',
            }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    enterprises: Type.Record(Type.String({ pattern: '^[0-9]+$' }), Type.String()),
    bacnet: Type.Record(Type.String({ pattern: '^[0-9]+$' }), Type.String()),
    dicom: Type.Record(Type.String({ pattern: '^[0-9.]+$' }), Type.String()),
    clouds: Type.Record(Type.String({ pattern: '^[a-z0-9-]+(\\.[a-z0-9-]+)+$' }), Type.String()),
  },
  { additionalProperties: false },
);
export type VendorsSpec = Static<typeof vendorsSchema>;
