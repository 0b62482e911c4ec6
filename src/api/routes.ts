import type { FastifyInstance, FastifyReply } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';
import type { DeviceRow } from '../kernel/rows.ts';
import type { AlertFilter } from '../store/contract.ts';
import type { Who } from './access.ts';
import type { ApiConfig } from './config.ts';
import { detectorStatusSchema, pipelineStatusSchema } from './contract.ts';
import type { ApiDeps } from './contract.ts';
import type { EventHub } from './events.ts';
import { alertColumns, exportStream, firstPageRows } from './export.ts';
import { notFound, ProblemError, problemSchema } from './problems.ts';
import {
  alertExportQuerySchema,
  alertPageSchema,
  alertParamsSchema,
  alertQuerySchema,
  alertSchema,
  deviceParamsSchema,
  deviceSchema,
  flowListSchema,
  flowsAroundQuerySchema,
  flowsQuerySchema,
  overviewSchema,
  pageQuerySchema,
  windowListSchema,
  windowsQuerySchema,
} from './schemas.ts';

/** Most windows of one answer: a day of minutes. */
const MAX_WINDOWS = 1440;
const DEFAULT_ROWS = 50;

const problemResponse = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});
const problems = {
  '4xx': problemResponse('The request is at fault; `detail` says how.'),
  '5xx': problemResponse('Wardwatch or its store is at fault.'),
};
const json = <T extends TSchema>(schema: T, description: string) => ({
  200: { description, content: { 'application/json': { schema } } },
  ...problems,
});
const text = (type: string, description: string) => ({
  200: { description, content: { [type]: { schema: Type.String() } } },
  ...problems,
});
const exported = {
  200: {
    description: 'The rows. `wardwatch-rows-total` says how many the filter finds, also where fewer are sent.',
    content: { 'text/csv': { schema: Type.String() }, 'application/x-ndjson': { schema: Type.String() } },
  },
  ...problems,
};

/** The stored OCSF text as an object; null where it is damaged, so that the rest of the row still serves. */
function parseOcsf(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** Without the properties that are undefined, as exactOptionalPropertyTypes asks for. */
type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

type AlertFilterQuery = Omit<Static<typeof alertExportQuerySchema>, 'format'>;

function alertFilter(query: AlertFilterQuery, { vlans }: Who): AlertFilter {
  if (query.from !== undefined && query.to !== undefined && query.from > query.to) {
    throw new ProblemError(400, 'invalid-request', '`from` is after `to`.');
  }
  const { severity, device, detector, text: words, from, to, sort } = query;
  return defined({ severityAtLeast: severity, device, detector, text: words, from, to, sort, vlans });
}

function sendExport(
  reply: FastifyReply,
  name: string,
  format: 'csv' | 'ndjson',
  total: number,
  body: NodeJS.ReadableStream,
) {
  return reply
    .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8')
    .header('content-disposition', `attachment; filename="wardwatch-${name}.${format}"`)
    .header('wardwatch-rows-total', String(total))
    .send(body);
}

/** Everything below /api/v1: nothing outside of the scope shows rows. */
export function registerApiRoutes(scope: FastifyInstance, config: ApiConfig, deps: ApiDeps, hub: EventHub): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const { store } = deps;

  app.addHook('onSend', async (_request, reply) => {
    void reply.header('cache-control', 'no-store');
  });

  async function deviceOf(key: string, { vlans }: Who): Promise<DeviceRow> {
    const device = await store.device(key, vlans);
    if (!device) throw notFound('device');
    return device;
  }

  app.get(
    '/alerts',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listAlerts',
        summary: 'Alerts, newest or worst first',
        tags: ['alerts'],
        querystring: alertQuerySchema,
        response: json(alertPageSchema, 'A page of alerts'),
      },
    },
    async (request) => {
      const { limit = DEFAULT_ROWS, cursor, ...filter } = request.query;
      const page = await store.alerts(alertFilter(filter, request.who), limit, cursor);
      return { rows: page.rows, next: page.next ?? null, total: page.total };
    },
  );

  app.get(
    '/alerts/:uid',
    {
      config: { access: { role: 'viewer', audit: 'alert.viewed' } },
      schema: {
        operationId: 'getAlert',
        summary: 'One alert with its OCSF Detection Finding',
        tags: ['alerts'],
        params: alertParamsSchema,
        response: json(alertSchema, 'The alert'),
      },
    },
    async (request) => {
      const row = await store.alert(request.params.uid, request.who.vlans);
      if (!row) throw notFound('alert');
      return { ...row, ocsf: parseOcsf(row.ocsf) };
    },
  );

  app.get(
    '/alerts/:uid/flows',
    {
      config: { access: { role: 'viewer', audit: 'evidence.viewed' } },
      schema: {
        operationId: 'listAlertFlows',
        summary: "Flows of the alert's device around its time",
        tags: ['alerts'],
        params: alertParamsSchema,
        querystring: flowsAroundQuerySchema,
        response: json(flowListSchema, 'Flows, newest first'),
      },
    },
    async (request) => {
      const alert = await store.alert(request.params.uid, request.who.vlans);
      if (!alert) throw notFound('alert');
      const device = await store.device(alert.device, request.who.vlans);
      // A device may have aged out of the inventory before its alert did.
      if (!device) return { rows: [] };
      const { limit = DEFAULT_ROWS, margin_s: marginS = 300 } = request.query;
      const around = { from: alert.start_time - marginS * 1000, to: alert.end_time + marginS * 1000 };
      return { rows: await store.flowsOf(device, limit, around) };
    },
  );

  app.get(
    '/devices/:key',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'getDevice',
        summary: 'One device: what it is, how sure that is and why',
        tags: ['devices'],
        params: deviceParamsSchema,
        response: json(deviceSchema, 'The device'),
      },
    },
    async (request) => {
      const row = await deviceOf(request.params.key, request.who);
      return { ...row, ocsf: parseOcsf(row.ocsf) };
    },
  );

  app.get(
    '/devices/:key/alerts',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listDeviceAlerts',
        summary: 'Alerts about a device, newest first',
        tags: ['devices'],
        params: deviceParamsSchema,
        querystring: pageQuerySchema,
        response: json(alertPageSchema, 'A page of alerts'),
      },
    },
    async (request) => {
      const device = await deviceOf(request.params.key, request.who);
      const { limit = DEFAULT_ROWS, cursor } = request.query;
      const page = await store.alerts(
        defined({ device: device.device, sort: 'time' as const, vlans: request.who.vlans }),
        limit,
        cursor,
      );
      return { rows: page.rows, next: page.next ?? null, total: page.total };
    },
  );

  app.get(
    '/devices/:key/flows',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listDeviceFlows',
        summary: 'Flows of a device, newest first',
        tags: ['devices'],
        params: deviceParamsSchema,
        querystring: flowsQuerySchema,
        response: json(flowListSchema, 'Flows'),
      },
    },
    async (request) => {
      const device = await deviceOf(request.params.key, request.who);
      const { limit = DEFAULT_ROWS, from, to } = request.query;
      const around =
        from === undefined && to === undefined ? undefined : { from: from ?? 0, to: to ?? Number.MAX_SAFE_INTEGER };
      return { rows: await store.flowsOf(device, limit, around) };
    },
  );

  app.get(
    '/devices/:key/windows',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listDeviceWindows',
        summary: 'Feature windows of a device, for charts',
        tags: ['devices'],
        params: deviceParamsSchema,
        querystring: windowsQuerySchema,
        response: json(windowListSchema, 'Feature windows'),
      },
    },
    async (request) => {
      const device = await deviceOf(request.params.key, request.who);
      const windowS = request.query.window_s ?? 60;
      const spanMs = MAX_WINDOWS * windowS * 1000;
      const to = request.query.to ?? device.last_seen;
      const from = request.query.from ?? Math.max(0, to - spanMs);
      if (from > to) throw new ProblemError(400, 'invalid-request', '`from` is after `to`.');
      if (to - from > spanMs) {
        const detail = `At most ${MAX_WINDOWS} windows can be asked for at once, which is ${spanMs} milliseconds here.`;
        throw new ProblemError(400, 'invalid-request', detail, { remedy: 'Ask for a shorter time or longer windows.' });
      }
      const rows = await store.windowsOf(device.device, windowS, from, to);
      const wanted = request.query.features === undefined ? undefined : new Set(request.query.features.split(','));
      return {
        window_s: windowS,
        from,
        to,
        rows: rows.slice(0, MAX_WINDOWS + 1).map((row) => ({
          window_start: row.window_start,
          features: wanted
            ? Object.fromEntries(Object.entries(row.features).filter(([name]) => wanted.has(name)))
            : row.features,
        })),
      };
    },
  );

  app.get(
    '/overview',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'getOverview',
        summary: 'Counts of everything, and the status',
        tags: ['system'],
        response: json(overviewSchema, 'The overview'),
      },
    },
    async (request) => {
      const counts = await store.overview(request.who.vlans);
      return {
        version: deps.version,
        time_zone: config.time_zone,
        alerts_by_severity: counts.alertsBySeverity,
        devices_by_type: counts.devicesByType,
        flows: counts.flows,
        status: deps.status(),
      };
    },
  );

  app.get(
    '/status',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'getStatus',
        summary: 'What the pipeline is doing, and what it cannot see',
        tags: ['system'],
        response: json(pipelineStatusSchema, 'The status'),
      },
    },
    async () => deps.status(),
  );

  app.get(
    '/detectors',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listDetectors',
        summary: 'Detectors and whether they run',
        tags: ['system'],
        response: json(Type.Object({ rows: Type.Array(detectorStatusSchema) }), 'All detectors'),
      },
    },
    async () => ({ rows: deps.status().detectors }),
  );

  app.get(
    '/events',
    {
      config: { access: { role: 'viewer' } },
      // A HEAD would hold a stream that carries nothing.
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamEvents',
        summary: 'Live events: `alert`, `device`, `status`, `reset`',
        description:
          'Server-sent events. `alert` and `device` carry ids; a client that comes back with `Last-Event-ID` gets what it ' +
          'missed, or `reset` where that is no longer there. A client that does not keep up is disconnected.',
        tags: ['system'],
        headers: Type.Object({
          'last-event-id': Type.Optional(Type.String({ maxLength: 64, description: 'Id of the last event seen.' })),
        }),
        response: text('text/event-stream', 'A stream that does not end'),
      },
    },
    async (request, reply) => {
      if (!hub.hasRoom()) {
        throw new ProblemError(503, 'too-many-streams', `There are already ${hub.clients()} open event streams.`, {
          remedy: 'Close other windows of the console, or raise api.max_event_clients.',
        });
      }
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) headers[name] = String(value);
      }
      reply.hijack();
      const lives = (): boolean => request.identity?.lives() ?? true;
      hub.open(reply.raw, headers, request.headers['last-event-id'], { vlans: request.who.vlans, lives });
    },
  );

  app.get(
    '/export/alerts',
    {
      config: { access: { role: 'viewer', audit: 'alerts.exported' } },
      schema: {
        operationId: 'exportAlerts',
        summary: 'Alerts as a file: CSV, or OCSF objects one a line',
        tags: ['alerts'],
        querystring: alertExportQuerySchema,
        response: exported,
      },
    },
    async (request, reply) => {
      const { format = 'csv', ...query } = request.query;
      const filter = alertFilter(query, request.who);
      const first = await store.alerts(filter, firstPageRows(config.export_rows));
      const rest = (limit: number, cursor: string) => store.alerts(filter, limit, cursor);
      request.auditDetail = `${format}, ${Math.min(first.total, config.export_rows)} rows`;
      const body = exportStream(format === 'csv' ? 'csv' : 'ocsf', alertColumns, first, rest, config.export_rows);
      return sendExport(reply, 'alerts', format, first.total, body);
    },
  );
}

const healthSchema = Type.Object({ ok: Type.Boolean() });
const readinessSchema = Type.Object({
  ok: Type.Boolean(),
  checks: Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.Optional(Type.String()) })),
});

/** What machines ask: /healthz, /readyz and /metrics. They show no rows. */
export function registerProbeRoutes(scope: FastifyInstance, deps: ApiDeps): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/healthz',
    {
      config: { access: { role: 'public' } },
      schema: {
        operationId: 'getHealth',
        summary: 'The process answers',
        tags: ['probes'],
        response: json(healthSchema, 'It does'),
      },
    },
    async () => ({ ok: true }),
  );
  app.get(
    '/readyz',
    {
      config: { access: { role: 'public' } },
      schema: {
        operationId: 'getReadiness',
        summary: 'Requests can be served',
        tags: ['probes'],
        response: json(readinessSchema, 'They can'),
      },
    },
    async () => {
      const readiness = await deps.ready();
      if (!readiness.ok) {
        const failed = readiness.checks.filter((check) => !check.ok).map((check) => check.name);
        throw new ProblemError(503, 'not-ready', `Not ready: ${failed.join(', ')}.`, { checks: readiness.checks });
      }
      return readiness;
    },
  );
  app.get(
    '/metrics',
    {
      config: { access: { role: 'public' } },
      schema: {
        operationId: 'getMetrics',
        summary: 'Counters in the Prometheus text format',
        tags: ['probes'],
        response: text('text/plain', 'The exposition'),
      },
    },
    async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await deps.metrics()),
  );
}
