/**
 * What the routes take and give, as JSON Schema: validation, serialisation, OpenAPI and the console's
 * types all come from here. Field names and meanings of rows are those of src/kernel/rows.ts.
 */
import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';
import { pipelineStatusSchema } from './pipeline-status.ts';
import type { PipelineStatus } from './pipeline-status.ts';

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const epochMs = (description: string) => Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000, description });

const alertFields = {
  uid: Type.String(),
  version: Type.Integer({ description: 'Grows with every change of the same alert.' }),
  time: Type.Integer({ description: 'Epoch milliseconds: the last frame needed to first reach the final severity.' }),
  start_time: Type.Integer({ description: 'Epoch milliseconds of the first contributing frame.' }),
  end_time: Type.Integer({ description: 'Epoch milliseconds of the last contributing frame.' }),
  severity_id: Type.Integer({ description: '1 informational, 2 low, 3 medium, 4 high, 5 critical.' }),
  detector: Type.String(),
  detectors: Type.Array(Type.String()),
  title: Type.String(),
  message: Type.String(),
  device: Type.String({ description: 'Key of the device that the alert is about.' }),
  device_mac: Type.String(),
  device_ip: Type.String(),
  device_name: Type.String(),
  device_type: Type.String(),
  vlan: Type.String(),
  parties: Type.Array(Type.String(), { description: 'Keys of the other monitored devices involved.' }),
  attacks: Type.Array(Type.String(), { description: 'ATT&CK technique ids, ICS and Enterprise.' }),
  confidence_score: Type.Number(),
  risk_score: Type.Number(),
  findings: Type.Integer(),
};
export const alertSummarySchema = Type.Object(alertFields, { title: 'AlertSummary' });
export type AlertSummary = Static<typeof alertSummarySchema>;

const ocsfSchema = nullable(
  Type.Object(
    {},
    { additionalProperties: true, description: 'The OCSF object; null where its stored text is damaged.' },
  ),
);
export const alertSchema = Type.Object({ ...alertFields, ocsf: ocsfSchema }, { title: 'Alert' });
export type Alert = Static<typeof alertSchema>;

const deviceFields = {
  device: Type.String({ description: 'Stable key: `<vlan>/<mac>` or `<vlan>/<ip>`.' }),
  version: Type.Integer(),
  mac: Type.String(),
  vlan: Type.String(),
  ip: Type.String(),
  ips: Type.Array(Type.String()),
  hostname: Type.String(),
  type: Type.String(),
  vendor_name: Type.String(),
  model: Type.String(),
  is_gateway: Type.Boolean(),
  phase: Type.String({ description: '`learning` or `watching`.' }),
  os: Type.String(),
  os_version: Type.String(),
  firmware: Type.String(),
  serial: Type.String(),
  ae_titles: Type.Array(Type.String()),
  confidence: Type.Number({ description: 'Of the type, 0 to 1.' }),
  risk_score: Type.Number({ description: '0 to 100.' }),
  risk_level: Type.Integer({ description: '0 info, 1 low, 2 medium, 3 high, 4 critical.' }),
  first_seen: Type.Integer({ description: 'Epoch milliseconds.' }),
  last_seen: Type.Integer({ description: 'Epoch milliseconds.' }),
  packets: Type.Number(),
  bytes: Type.Number(),
};
export const deviceSummarySchema = Type.Object(deviceFields, { title: 'DeviceSummary' });
export type DeviceSummary = Static<typeof deviceSummarySchema>;

const decidedFieldSchema = Type.Object({
  value: Type.String(),
  confidence: Type.Number({ description: '0 to 1.' }),
  runner_up: Type.Optional(Type.Object({ value: Type.String(), confidence: Type.Number() })),
  evidence: Type.Array(
    Type.Object({
      source: Type.String({ description: 'What was seen: `oui`, `dhcp.hostname`, `hl7.sending_app`, …' }),
      value: Type.String(),
      weight: Type.Number(),
      time: Type.Integer({ description: 'Epoch milliseconds, first time seen.' }),
    }),
  ),
});
export const deviceSchema = Type.Object(
  {
    ...deviceFields,
    risk: Type.Array(
      Type.Object({
        of: Type.String({ description: '`severity` (the highest counts) or `likelihood` (these are added up).' }),
        part: Type.String(),
        points: Type.Number(),
        because: Type.String(),
      }),
    ),
    fields: Type.Record(Type.String(), decidedFieldSchema),
    ocsf: ocsfSchema,
  },
  { title: 'Device' },
);
export type Device = Static<typeof deviceSchema>;

export const flowSchema = Type.Object(
  {
    ts: Type.Number({ description: 'Epoch seconds.' }),
    uid: Type.String(),
    'id.orig_h': Type.String(),
    'id.orig_p': Type.Integer(),
    'id.resp_h': Type.String(),
    'id.resp_p': Type.Integer(),
    proto: Type.String(),
    service: Type.Optional(Type.String()),
    duration: Type.Number({ description: 'Seconds.' }),
    orig_bytes: Type.Number(),
    resp_bytes: Type.Number(),
    conn_state: Type.String(),
    history: Type.String(),
    orig_pkts: Type.Number(),
    orig_ip_bytes: Type.Number(),
    resp_pkts: Type.Number(),
    resp_ip_bytes: Type.Number(),
    missed_bytes: Type.Number(),
    orig_l2_addr: Type.Optional(Type.String()),
    resp_l2_addr: Type.Optional(Type.String()),
    vlan: Type.Optional(Type.Integer()),
    inner_vlan: Type.Optional(Type.Integer()),
    vni: Type.Optional(Type.Integer()),
    community_id: Type.String(),
    ja3: Type.Optional(Type.String()),
    ja4: Type.Optional(Type.String()),
  },
  { title: 'Flow', description: "Names of Zeek's conn.log" },
);
export type Flow = Static<typeof flowSchema>;

const page = <T extends TSchema>(row: T, title: string) =>
  Type.Object(
    {
      rows: Type.Array(row),
      next: nullable(Type.String({ description: 'Cursor of the next page; null on the last.' })),
      total: Type.Integer({ description: 'How many rows the filter finds.' }),
    },
    { title },
  );
export const alertPageSchema = page(alertSummarySchema, 'AlertPage');
export type AlertPage = Static<typeof alertPageSchema>;
/** What maintenance (CMMS) knows of one device. */
export const assetSchema = Type.Object(
  {
    tag: Type.String(),
    mac: Type.String(),
    serial: Type.String(),
    name: Type.String(),
    owner: Type.String(),
    room: Type.String(),
    criticality: Type.String({ description: '`low`, `medium`, `high`, `critical`, or empty.' }),
    contact: Type.String(),
  },
  { title: 'Asset', description: 'Empty where nothing is said.' },
);
export type AssetBody = Static<typeof assetSchema>;
export const deviceAssetSchema = Type.Object({ asset: nullable(assetSchema) }, { title: 'DeviceAsset' });
export type DeviceAsset = Static<typeof deviceAssetSchema>;
export const devicePageSchema = Type.Object(
  {
    ...page(deviceSummarySchema, '').properties,
    assets: Type.Record(Type.String(), assetSchema, {
      description: 'Assets of the maintenance system by the key of the device, for those that have one.',
    }),
  },
  { title: 'DevicePage' },
);
export type DevicePage = Static<typeof devicePageSchema>;

export const flowListSchema = Type.Object({ rows: Type.Array(flowSchema) }, { title: 'FlowList' });
export type FlowList = Static<typeof flowListSchema>;

export const windowListSchema = Type.Object(
  {
    window_s: Type.Integer(),
    from: Type.Integer({ description: 'Epoch milliseconds.' }),
    to: Type.Integer({ description: 'Epoch milliseconds.' }),
    rows: Type.Array(
      Type.Object({
        window_start: Type.Integer({ description: 'Epoch milliseconds.' }),
        features: Type.Record(Type.String(), Type.Number()),
      }),
    ),
  },
  {
    title: 'WindowList',
    description: 'Feature windows of a device, oldest first; a window without traffic is absent.',
  },
);
export type WindowList = Static<typeof windowListSchema>;

export const overviewSchema = Type.Object(
  {
    version: Type.String({ description: 'Version of Wardwatch.' }),
    time_zone: Type.String({ description: 'Time zone of the site, IANA name.' }),
    alerts_by_severity: Type.Record(Type.String(), Type.Integer()),
    devices_by_type: Type.Record(Type.String(), Type.Integer()),
    flows: Type.Integer(),
    status: pipelineStatusSchema,
  },
  { title: 'Overview' },
);
export type Overview = Static<typeof overviewSchema>;

/** Bodies of the events of `GET /api/v1/events`; whole rows are fetched by their own routes. */
export type AlertEvent = { change: 'created' | 'updated'; alert: AlertSummary };
export type DeviceEvent = { change: 'created' | 'updated'; device: DeviceSummary };
export type StatusEvent = PipelineStatus;

const limit = Type.Integer({ minimum: 1, maximum: 500, default: 50, description: 'Most rows of the answer.' });
const cursor = Type.String({ minLength: 1, maxLength: 4096, description: '`next` of the page before.' });
const text = Type.String({ maxLength: 200, description: 'Words that must all occur; case does not matter.' });
const word = (description: string) => Type.String({ minLength: 1, maxLength: 200, description });
const strict = { additionalProperties: false };

const alertFilterFields = {
  severity: Type.Optional(Type.Integer({ minimum: 1, maximum: 5, description: 'This severity and above.' })),
  detector: Type.Optional(word('Id of a detector.')),
  device: Type.Optional(word('Key of a device.')),
  text: Type.Optional(text),
  from: Type.Optional(epochMs('Not before, epoch milliseconds.')),
  to: Type.Optional(epochMs('Not after, epoch milliseconds.')),
  sort: Type.Optional(
    Type.Union([Type.Literal('time'), Type.Literal('severity')], { description: 'Newest or worst first.' }),
  ),
};
export const alertQuerySchema = Type.Object(
  { ...alertFilterFields, limit: Type.Optional(limit), cursor: Type.Optional(cursor) },
  strict,
);

const format = Type.Union([Type.Literal('csv'), Type.Literal('ndjson')], { default: 'csv' });
export const alertExportQuerySchema = Type.Object({ ...alertFilterFields, format: Type.Optional(format) }, strict);

export const pageQuerySchema = Type.Object({ limit: Type.Optional(limit), cursor: Type.Optional(cursor) }, strict);
export const flowsAroundQuerySchema = Type.Object(
  {
    limit: Type.Optional(limit),
    margin_s: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 86_400, default: 300, description: 'Seconds before and after the alert.' }),
    ),
  },
  strict,
);
export const flowsQuerySchema = Type.Object(
  {
    limit: Type.Optional(limit),
    from: Type.Optional(epochMs('Not before, epoch milliseconds.')),
    to: Type.Optional(epochMs('Not after, epoch milliseconds.')),
  },
  strict,
);
export const windowsQuerySchema = Type.Object(
  {
    window_s: Type.Optional(
      Type.Union([Type.Literal(10), Type.Literal(60)], { default: 60, description: 'Length of a window in seconds.' }),
    ),
    from: Type.Optional(epochMs('Epoch milliseconds; without it as many windows before `to` as an answer may hold.')),
    to: Type.Optional(epochMs("Epoch milliseconds; without it the end of the device's activity.")),
    features: Type.Optional(
      Type.String({ maxLength: 2000, description: 'Names of the features wanted, with commas; all without it.' }),
    ),
  },
  strict,
);
export const alertParamsSchema = Type.Object({ uid: word('`uid` of the alert.') });
export const deviceParamsSchema = Type.Object({ key: word('Key of the device, percent-encoded.') });
