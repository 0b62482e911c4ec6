/** What the routes of the inventory take and give; see schemas.ts. */
import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const strict = { additionalProperties: false };
const epochMs = (description: string) => Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000, description });
const word = (description: string) => Type.String({ maxLength: 200, description });
/** `type=ct&type=mr`: any of them. Empty: not known. */
const anyOf = (description: string) =>
  Type.Optional(Type.Union([word(description), Type.Array(word(description), { maxItems: 50 })]));
const share = (description: string) => Type.Optional(Type.Number({ minimum: 0, maximum: 1, description }));

export const deviceFilterFields = {
  type: anyOf('Device type, as in `type`; more than once: any of them.'),
  vendor: anyOf('Vendor, as in `vendor_name`.'),
  model: anyOf('Model.'),
  hostname: anyOf('Name.'),
  os: anyOf('Operating system.'),
  os_version: anyOf('Version of the operating system.'),
  firmware: anyOf('Firmware.'),
  serial: anyOf('Serial number.'),
  mac: anyOf('Hardware address, lower case with colons.'),
  vlan: anyOf('VLAN, as in `vlan`.'),
  phase: anyOf('`learning` or `watching`.'),
  ae_title: anyOf('DICOM application entity title.'),
  ip: Type.Optional(
    Type.String({ minLength: 2, maxLength: 50, description: 'An address, or a network as 10.20.0.0/16.' }),
  ),
  gateway: Type.Optional(Type.Boolean({ description: 'Only gateways, or none of them.' })),
  risk: Type.Optional(Type.Integer({ minimum: 0, maximum: 4, description: 'This risk level and above.' })),
  confidence_from: share('Confidence of the type at least.'),
  confidence_to: share('Confidence of the type at most.'),
  first_seen_from: Type.Optional(epochMs('First seen not before, epoch milliseconds.')),
  first_seen_to: Type.Optional(epochMs('First seen not after.')),
  last_seen_from: Type.Optional(epochMs('Last seen not before.')),
  last_seen_to: Type.Optional(epochMs('Last seen not after.')),
  text: Type.Optional(Type.String({ maxLength: 200, description: 'Words that must all occur; case does not matter.' })),
};
const sort = Type.Optional(
  Type.Enum(
    ['last_seen', 'first_seen', 'hostname', 'type', 'vendor_name', 'ip', 'risk', 'confidence', 'bytes', 'unknown'],
    { description: '`unknown`: devices of unknown type first, then by risk. `confidence`: least sure first.' },
  ),
);
const limit = (most: number, otherwise: number) =>
  Type.Optional(
    Type.Integer({ minimum: 1, maximum: most, default: otherwise, description: 'Most rows of the answer.' }),
  );
const cursor = Type.Optional(Type.String({ minLength: 1, maxLength: 4096, description: '`next` of the page before.' }));

export const inventoryQuerySchema = Type.Object({ ...deviceFilterFields, sort, limit: limit(500, 50), cursor }, strict);
export const inventoryExportQuerySchema = Type.Object(
  {
    ...deviceFilterFields,
    sort,
    format: Type.Optional(
      Type.Enum(['csv', 'json', 'ndjson', 'ocsf'], {
        default: 'csv',
        description: '`ndjson`: a device a line. `ocsf`: a Device Inventory Info (5001) a line.',
      }),
    ),
  },
  strict,
);
export const FACETS = ['type', 'vendor_name', 'model', 'os', 'os_version', 'firmware', 'vlan', 'phase'] as const;
export const facetsQuerySchema = Type.Object(
  {
    ...deviceFilterFields,
    fields: Type.Optional(Type.String({ maxLength: 200, description: `Of these, with commas: ${FACETS.join(', ')}.` })),
    most: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 200, default: 20, description: 'Most values of a field.' }),
    ),
  },
  strict,
);
export const facetsSchema = Type.Object(
  {
    facets: Type.Array(
      Type.Object({
        field: Type.String(),
        values: Type.Array(Type.Object({ value: Type.String(), n: Type.Integer() })),
      }),
    ),
  },
  { title: 'Facets' },
);
export type Facets = Static<typeof facetsSchema>;

export const channelSchema = Type.Object(
  {
    device: Type.String(),
    peer: Type.String({ description: 'Key of a device, else an address; `*` where the table was full.' }),
    peer_kind: Type.String({ description: '`device`, `site`, `external` or `group`.' }),
    peer_name: Type.String(),
    type: Type.String(),
    peer_type: Type.String(),
    direction: Type.String({ description: '`out`: the device began it. `in`: it serves.' }),
    proto: Type.String(),
    port: Type.Integer(),
    service: Type.String(),
    encrypted: Type.String({ description: '`yes`, `no` or `unknown`.' }),
    phi: Type.String({ description: 'Data of patients: `yes`, `likely` or `no`.' }),
    is_clinical: Type.Boolean(),
    commands: Type.Array(Type.String()),
    learned: Type.Boolean({ description: 'First seen while the device was learning.' }),
    first_seen: Type.Integer(),
    last_seen: Type.Integer(),
    flows: Type.Number(),
    bytes_out: Type.Number(),
    bytes_in: Type.Number(),
  },
  { title: 'Channel' },
);
export type Channel = Static<typeof channelSchema>;
export const channelListSchema = Type.Object({ rows: Type.Array(channelSchema) }, { title: 'ChannelList' });
export type ChannelList = Static<typeof channelListSchema>;

export const addressListSchema = Type.Object(
  {
    rows: Type.Array(
      Type.Object({
        device: Type.String(),
        ip: Type.String(),
        first_seen: Type.Integer(),
        last_seen: Type.Integer(),
        claimed: Type.Boolean({ description: 'Said by ARP, DHCP or ND; else merely used.' }),
      }),
    ),
  },
  { title: 'AddressList' },
);
export type AddressList = Static<typeof addressListSchema>;

export const dataFlowsQuerySchema = Type.Object(
  {
    clinical: Type.Optional(
      Type.Boolean({ default: true, description: 'Only clinical protocols and data of patients.' }),
    ),
    type: Type.Optional(word('Only with devices of this type at one end.')),
    limit: limit(2000, 500),
    format: Type.Optional(Type.Enum(['json', 'csv'], { default: 'json' })),
  },
  strict,
);
export const dataFlowsSchema = Type.Object(
  {
    rows: Type.Array(
      Type.Object({
        type: Type.String({ description: 'Type of who begins.' }),
        peer_type: Type.String({ description: 'Type of who serves; empty outside of the inventory.' }),
        peer_kind: Type.String(),
        service: Type.String(),
        proto: Type.String(),
        port: Type.Integer({ description: '0 where the protocol is known.' }),
        encrypted: Type.String(),
        phi: Type.String(),
        channels: Type.Number(),
        devices: Type.Number(),
        peers: Type.Number(),
        flows: Type.Number(),
        bytes: Type.Number(),
        first_seen: Type.Integer(),
        last_seen: Type.Integer(),
      }),
    ),
  },
  { title: 'DataFlows' },
);
export type DataFlows = Static<typeof dataFlowsSchema>;

export const changesQuerySchema = Type.Object(
  {
    from: Type.Optional(epochMs('Not before, epoch milliseconds; without it a day before `to`.')),
    to: Type.Optional(epochMs('Not after, epoch milliseconds; without it the present event time.')),
    limit: limit(500, 100),
    cursor,
  },
  strict,
);
export const changesSchema = Type.Object(
  {
    from: Type.Integer(),
    to: Type.Integer(),
    rows: Type.Array(
      Type.Object({
        time: Type.Integer({ description: 'Epoch milliseconds.' }),
        kind: Type.String({
          description: '`appeared`, `channel`, `type`, `vendor_name`, `os`, `address`, `gateway`, `same-as`.',
        }),
        device: Type.String(),
        before: Type.String(),
        after: Type.String(),
        reason: Type.String(),
      }),
    ),
    next: nullable(Type.String()),
  },
  { title: 'Changes' },
);
export type Changes = Static<typeof changesSchema>;

const comparedSchema = Type.Object({
  does: Type.String({ description: '`serves` or `uses`.' }),
  protocol: Type.String(),
  ports: Type.Array(Type.String()),
  declared: Type.Boolean({ description: "In the maker's or the site's profile." }),
  learned: Type.Boolean({ description: 'Seen while the device was learning.' }),
  observed: Type.Boolean({ description: 'Seen since then.' }),
  verdict: Type.Enum(['declared-and-seen', 'declared-unused', 'undeclared', 'undeclared-new', 'no-profile']),
  declared_peers: Type.Array(Type.String()),
  peers: Type.Array(Type.String(), { description: 'Types, or the kind where there is none, of the peers seen.' }),
  external: Type.Array(Type.String(), { description: 'Names or addresses outside of the site.' }),
  commands: Type.Array(Type.String()),
  first_seen: nullable(Type.Integer()),
  last_seen: nullable(Type.Integer()),
});
export const comparisonSchema = Type.Object(
  {
    profile: nullable(Type.String({ description: 'Id of the profile that the device matches.' })),
    profile_title: nullable(Type.String()),
    rows: Type.Array(comparedSchema),
    declared_unused: Type.Integer(),
    undeclared: Type.Integer(),
  },
  { title: 'Comparison', description: 'What is declared, what was learned and what is observed, side by side.' },
);
export type Comparison = Static<typeof comparisonSchema>;
export type ComparedRow = Static<typeof comparedSchema>;

const reason = Type.String({ minLength: 1, maxLength: 500, description: 'Why, for those who look at it later.' });
export const mergeBodySchema = Type.Object(
  { other: Type.String({ minLength: 1, maxLength: 400, description: 'Key of the other device.' }), reason },
  strict,
);
export const splitBodySchema = Type.Object({ reason }, strict);
export const mergeIdSchema = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });
export const mergeActSchema = Type.Object(
  {
    id: Type.Integer(),
    act: Type.Enum(['merge', 'split', 'distinct']),
    device: Type.String(),
    other: Type.String({ description: 'Of a merge the device that stands for both.' }),
    time: Type.Integer({ description: 'Epoch milliseconds.' }),
    who: Type.String(),
    reason: Type.String(),
    undone_time: nullable(Type.Integer()),
    undone_by: Type.String(),
  },
  { title: 'MergeAct' },
);
export type MergeActBody = Static<typeof mergeActSchema>;
export const mergesSchema = Type.Object(
  {
    main: Type.String({ description: 'Key of the device that stands for all parts; of this one where it is alone.' }),
    parts: Type.Array(
      Type.Object({
        device: Type.String(),
        hostname: Type.String(),
        mac: Type.String(),
        ip: Type.String(),
        vlan: Type.String(),
        type: Type.String(),
        last_seen: Type.Integer(),
      }),
      { description: 'The main one first.' },
    ),
    suggestions: Type.Array(Type.Object({ device: Type.String(), reason: Type.String(), time: Type.Integer() }), {
      description: 'Devices that are likely the same, and of which nobody has said yet.',
    }),
    history: Type.Array(mergeActSchema),
  },
  { title: 'Merges' },
);
export type MergesBody = Static<typeof mergesSchema>;

export const sqlBodySchema = Type.Object(
  { sql: Type.String({ minLength: 1, maxLength: 20_000, description: 'One SELECT.' }) },
  strict,
);
export const sqlAnswerSchema = Type.Object(
  {
    columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
    rows: Type.Array(Type.Array(Type.Unknown())),
    truncated: Type.Boolean({ description: 'There are more rows than an answer may have.' }),
    elapsed_ms: Type.Number(),
  },
  { title: 'SqlAnswer' },
);
