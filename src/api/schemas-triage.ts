/** What the routes of triage take and give. */
import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';
import { alertSummarySchema } from './schemas.ts';

const name = (description: string) => Type.String({ minLength: 1, maxLength: 512, description });
const ms = (description: string) => Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000, description });
const closed = { additionalProperties: false };
const oneOf = <T extends string>(values: readonly T[], description = '') =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...(description === '' ? {} : { description }) });
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const STATES = ['new', 'in_progress', 'resolved'] as const;
export const RESOLUTIONS = ['true_positive', 'false_positive', 'benign', 'test'] as const;

const minute = Type.Integer({ minimum: 0, maximum: 1439 });
const scopeFields = {
  device: Type.Optional(name('Key of the device that acts.')),
  device_type: Type.Optional(name('Class of that device.')),
  peer: Type.Optional(name('The other end of every pair: key of a device, IP or MAC address.')),
  service: Type.Optional(name('The service of every pair.')),
  detector: Type.Optional(name('The only detector that contributed.')),
  vlan: Type.Optional(Type.String({ maxLength: 64, description: 'As in alerts; empty for untagged.' })),
  from_ms: Type.Optional(ms('Epoch milliseconds of event time.')),
  to_ms: Type.Optional(ms('Epoch milliseconds of event time.')),
  daily: Type.Optional(
    Type.Object(
      { from: minute, to: minute, zone: Type.String({ minLength: 1, maxLength: 64, format: 'time-zone' }) },
      { ...closed, description: 'Minutes of the day in an IANA time zone; may go over midnight.' },
    ),
  ),
};
export const scopeSchema = Type.Object(scopeFields, { ...closed, title: 'Scope' });
export type ScopeBody = Static<typeof scopeSchema>;

export const triageSchema = Type.Object(
  {
    uid: Type.String(),
    version: Type.Integer(),
    revision: Type.Integer({ description: 'To be sent in If-Match with an edit, as `"7"`.' }),
    sequence: Type.Integer({ description: 'Place in the order of all changes.' }),
    time: Type.Integer(),
    state: oneOf(STATES),
    resolution: oneOf([...RESOLUTIONS, '']),
    note: Type.String(),
    assignee: Type.String({ description: 'Empty for nobody.' }),
    tags: Type.Array(Type.String()),
    severity: Type.Integer({ description: 'As the queue sorts it: 1 in a maintenance window.' }),
    muted_by: Type.Integer({ description: 'Rule that hides it; below 0 a maintenance window; 0 for none.' }),
    resolved_by: Type.Integer({ description: 'Rule that resolved it; 0 for a person.' }),
    maintenance: Type.Integer({ description: 'Maintenance window; 0 for none.' }),
    incident: Type.Integer({ description: '0 for none.' }),
    reopened: Type.Integer({ description: 'How often it came back.' }),
    repeat_of: Type.String({ description: 'Uid of the resolved alert that this one repeats; empty for none.' }),
  },
  { title: 'Triage' },
);
export type TriageBody = Static<typeof triageSchema>;

export const queueRowSchema = Type.Intersect([alertSummarySchema, Type.Object({ triage: triageSchema })], {
  title: 'QueueRow',
});
export type QueueRow = Static<typeof queueRowSchema>;
export const queuePageSchema = Type.Object(
  {
    rows: Type.Array(queueRowSchema),
    next: nullable(Type.String()),
    total: Type.Integer(),
    exact: Type.Boolean({ description: 'False where there are at least `total`.' }),
  },
  { title: 'QueuePage' },
);
export type QueuePage = Static<typeof queuePageSchema>;

const filterFields = {
  ...scopeFields,
  state: Type.Optional(oneOf([...STATES, 'open', 'all'], '`open`, which is the default, is new and in progress.')),
  resolution: Type.Optional(oneOf(RESOLUTIONS)),
  muted: Type.Optional(oneOf(['without', 'only', 'with'])),
  severity: Type.Optional(Type.Integer({ minimum: 1, maximum: 5, description: 'At least.' })),
  assignee: Type.Optional(name('User; `-` for nobody.')),
  tag: Type.Optional(name('Tag.')),
  incident: Type.Optional(Type.Integer({ minimum: 1 })),
  contributed: Type.Optional(name('Detector that contributed.')),
  involved: Type.Optional(name('Key of a device that acted or took part.')),
  text: Type.Optional(Type.String({ maxLength: 400, description: 'Words, each from its beginning on.' })),
};
const { daily: _daily, ...flatFields } = filterFields;
export const queueFilterSchema = Type.Object(filterFields, { ...closed, title: 'QueueFilter' });
export type QueueFilter = Static<typeof queueFilterSchema>;
export const queueQuerySchema = Type.Object(
  {
    ...flatFields,
    sort: Type.Optional(oneOf(['severity', 'time'])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 400 })),
  },
  closed,
);
export const queueCountsSchema = Type.Object(
  {
    by_severity: Type.Record(Type.String(), Type.Integer()),
    in_progress: Type.Integer(),
    muted: Type.Integer(),
  },
  { title: 'QueueCounts' },
);
export type QueueCounts = Static<typeof queueCountsSchema>;

const tags = Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 32 });
const editFields = {
  state: Type.Optional(oneOf(STATES)),
  resolution: Type.Optional(oneOf(RESOLUTIONS)),
  note: Type.Optional(Type.String({ maxLength: 4000 })),
  assignee: Type.Optional(Type.String({ maxLength: 128 })),
  add_tags: Type.Optional(tags),
  remove_tags: Type.Optional(tags),
};
export const editSchema = Type.Object(editFields, { ...closed, minProperties: 1, title: 'TriageEdit' });
export type EditBody = Static<typeof editSchema>;
export const bulkSchema = Type.Object(
  {
    filter: queueFilterSchema,
    expected: Type.Integer({ minimum: 0, description: 'How many the person has seen; another number is a conflict.' }),
    edit: editSchema,
  },
  closed,
);
export const commentSchema = Type.Object({ text: Type.String({ minLength: 1, maxLength: 4000 }) }, closed);

export const historySchema = Type.Object(
  {
    id: Type.Integer(),
    at: Type.Integer({ description: 'Epoch milliseconds of the wall clock.' }),
    who: Type.String({ description: 'Empty for Wardwatch itself.' }),
    what: Type.String(),
    cause: Type.String(),
    changes: Type.Record(Type.String(), Type.Array(Type.Unknown())),
    comment: Type.String(),
  },
  { title: 'HistoryEntry' },
);
export const triageDetailsSchema = Type.Object(
  { triage: triageSchema, history: Type.Array(historySchema), repeats: Type.Array(triageSchema) },
  { title: 'TriageDetails' },
);
export type TriageDetails = Static<typeof triageDetailsSchema>;

export const ruleSchema = Type.Object(
  {
    id: Type.Integer(),
    act: oneOf(['learn', 'mute', 'close']),
    scope: scopeSchema,
    reason: Type.String(),
    resolution: oneOf(RESOLUTIONS),
    until: Type.Integer({ description: 'Epoch milliseconds; 0 without an end.' }),
    owner: Type.String(),
    created: Type.Integer(),
    effective_us: Type.Integer({ description: 'Event time from which detectors obey; 0 while none has said so.' }),
    undone: Type.Integer(),
    undone_by: Type.String(),
    matches: Type.Integer(),
    last_match: Type.Integer(),
    status: oneOf(['active', 'over', 'undone']),
    remark: oneOf(['', 'never matches', 'expires soon']),
  },
  { title: 'Rule' },
);
export type RuleBody = Static<typeof ruleSchema>;
export const ruleListSchema = Type.Object({ rows: Type.Array(ruleSchema) }, { title: 'RuleList' });
export type RuleList = Static<typeof ruleListSchema>;
export const newRuleSchema = Type.Object(
  {
    act: oneOf(['learn', 'mute', 'close']),
    scope: scopeSchema,
    reason: Type.String({ minLength: 1, maxLength: 1000 }),
    resolution: Type.Optional(oneOf(RESOLUTIONS)),
    until: Type.Optional(ms('Epoch milliseconds; left out for a rule without an end.')),
    expected: Type.Integer({ minimum: 0, description: 'Open alerts of the preview; another number is a conflict.' }),
  },
  closed,
);
export const previewSchema = Type.Object(
  {
    alerts: Type.Integer({ description: 'Alerts of the last 30 days in the scope.' }),
    open: Type.Integer({ description: 'Open alerts that would be acted on now.' }),
    by_severity: Type.Record(Type.String(), Type.Integer()),
    devices: Type.Integer(),
    from: Type.Integer(),
    to: Type.Integer(),
    examples: Type.Array(alertSummarySchema),
  },
  { title: 'RulePreview' },
);
export type RulePreview = Static<typeof previewSchema>;

export const windowSchema = Type.Object(
  {
    id: Type.Integer(),
    title: Type.String(),
    scope: scopeSchema,
    act: oneOf(['informational', 'mute']),
    from: Type.Integer(),
    to: Type.Integer(),
    owner: Type.String(),
    created: Type.Integer(),
    removed: Type.Integer(),
    alerts: Type.Integer({ description: 'Alerts that bear its mark.' }),
  },
  { title: 'MaintenanceWindow' },
);
export type WindowBody = Static<typeof windowSchema>;
export const maintenanceListSchema = Type.Object({ rows: Type.Array(windowSchema) }, { title: 'MaintenanceList' });
export type MaintenanceList = Static<typeof maintenanceListSchema>;
export const newWindowSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200 }),
    scope: scopeSchema,
    act: oneOf(['informational', 'mute']),
    from: ms('Epoch milliseconds of event time.'),
    to: ms('Epoch milliseconds of event time.'),
  },
  closed,
);

const incidentFields = {
  id: Type.Integer(),
  title: Type.String(),
  created: Type.Integer(),
  alerts: Type.Integer(),
  open: Type.Integer(),
  severity: Type.Integer(),
  first: Type.Integer(),
  last: Type.Integer(),
  devices: Type.Array(Type.String()),
  attacks: Type.Array(Type.String()),
};
export const incidentSchema = Type.Object(incidentFields, { title: 'Incident' });
export const incidentListSchema = Type.Object({ rows: Type.Array(incidentSchema) }, { title: 'IncidentList' });
export type IncidentList = Static<typeof incidentListSchema>;
export const incidentDetailsSchema = Type.Object(
  { ...incidentFields, rows: Type.Array(queueRowSchema), history: Type.Array(historySchema) },
  { title: 'IncidentDetails' },
);
export type IncidentDetails = Static<typeof incidentDetailsSchema>;
const uids = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { minItems: 1, maxItems: 500 });
export const mergeSchema = Type.Object({ into: Type.Integer({ minimum: 1 }) }, closed);
export const splitSchema = Type.Object({ uids, into: oneOf(['new', 'none']) }, closed);
export const addSchema = Type.Object({ uids }, closed);

export const viewSchema = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    query: Type.String(),
    owner: Type.String(),
    shared: Type.Boolean(),
    own: Type.Boolean(),
  },
  { title: 'View' },
);
export const viewListSchema = Type.Object({ rows: Type.Array(viewSchema) }, { title: 'ViewList' });
export type ViewList = Static<typeof viewListSchema>;
export const newViewSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    query: Type.String({ maxLength: 2000, description: 'Query of the console, such as `state=new&severity=4`.' }),
    shared: Type.Boolean(),
  },
  closed,
);

export const changesSchema = Type.Object(
  {
    rows: Type.Array(queueRowSchema),
    cursor: Type.String({ description: 'To be sent with the next request.' }),
    more: Type.Boolean({ description: 'There is more already: ask again at once.' }),
  },
  { title: 'AlertChanges' },
);
export const idParamsSchema = Type.Object({ id: Type.Integer({ minimum: 1 }) });
export const doneSchema = Type.Object({ done: Type.Boolean(), count: Type.Optional(Type.Integer()) });

/** Body of `triage` events: alerts that people or rules have changed; above 100 only their number. */
export interface TriageEvent {
  uids: readonly string[];
  total: number;
}
