import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { toMisp } from '../alerts/incidents-misp.ts';
import { toStix } from '../alerts/incidents-stix.ts';
import type { ExportedIncident } from '../alerts/incidents-stix.ts';
import type { HistoryEntry } from '../desk/triage-rows.ts';
import type { Incident, IncidentDetails } from '../desk/triage-incidents.ts';
import { json, problems } from './answers.ts';
import { notFound, ProblemError } from './problems.ts';
import { REPORT_POLICY, renderReport } from './report.ts';
import type { Report } from './report.ts';
import { alertParamsSchema } from './schemas.ts';
import {
  addSchema,
  doneSchema,
  idParamsSchema,
  incidentDetailsSchema,
  incidentListSchema,
  mergeSchema,
  splitSchema,
} from './schemas-triage.ts';
import { joined, seenAlert } from './triage-routes.ts';
import type { TriageRouteDeps } from './triage-routes.ts';

const SHOWN = 500;
const file = (type: string, description: string) => ({
  200: { description, content: { [type]: { schema: Type.Unknown() } } },
  ...problems,
});

/** Incidents, and what leaves the house of them: reports, STIX, MISP. */
export function registerIncidentRoutes(
  scope: FastifyInstance,
  deps: TriageRouteDeps & { readonly timeZone: string; readonly version: string },
): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const { triage, store } = deps;

  async function found(request: FastifyRequest, id: number): Promise<IncidentDetails> {
    const incident = triage.incidents.get(id, request.who.vlans);
    if (incident === undefined) throw notFound('incident');
    return (await titled([incident]))[0]!;
  }
  const body = ({ devices, attacks, lead: _lead, ...rest }: Incident) => ({
    ...rest,
    devices: [...devices],
    attacks: [...attacks],
  });

  /** With titles that say what happened to whom; the desk, which keeps no names, knows numbers and keys alone. */
  async function titled<T extends Incident>(incidents: readonly T[]): Promise<T[]> {
    const rows = await store.alertsOf(incidents.map(({ lead }) => lead));
    const leads = new Map(rows.map((row) => [row.uid, row]));
    return incidents.map((incident) => {
      const row = leads.get(incident.lead);
      if (row === undefined) return incident;
      const more = incident.alerts > 1 ? `, and ${incident.alerts - 1} more` : '';
      return { ...incident, title: `${row.title}: ${row.device_name || row.device_ip || row.device}${more}` };
    });
  }

  const entry = (one: HistoryEntry) => ({ ...one, changes: {} });

  async function exported(incident: IncidentDetails): Promise<ExportedIncident> {
    const rows = await store.alertsOf(incident.items.map((item) => item.uid));
    const alerts = rows.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
    const { id, title, created } = incident;
    return { id, uid: `incident ${created} ${id}`, title, created, alerts };
  }

  function sendReport(reply: FastifyReply, report: Omit<Report, 'timeZone' | 'madeMs' | 'version'>): FastifyReply {
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', REPORT_POLICY)
      .send(renderReport({ ...report, timeZone: deps.timeZone, madeMs: Date.now(), version: deps.version }));
  }

  app.get(
    '/incidents',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listIncidents',
        summary: 'Incidents, the newest first',
        tags: ['triage'],
        response: json(incidentListSchema, 'The incidents'),
      },
    },
    async (request) => ({ rows: (await titled(triage.incidents.list(200, request.who.vlans))).map(body) }),
  );

  app.get(
    '/incidents/:id',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'getIncident',
        summary: 'An incident with its alerts in the order of time',
        tags: ['triage'],
        params: idParamsSchema,
        response: json(incidentDetailsSchema, 'The incident'),
      },
    },
    async (request) => {
      const { items, history, ...incident } = await found(request, request.params.id);
      return {
        ...body(incident),
        rows: await joined(store, items.slice(0, SHOWN)),
        history: history.map(entry),
      };
    },
  );

  app.post(
    '/incidents/:id/merge',
    {
      config: { access: { role: 'analyst', audit: 'incident.merged' } },
      schema: {
        operationId: 'mergeIncident',
        summary: 'Put an incident into another',
        tags: ['triage'],
        params: idParamsSchema,
        body: mergeSchema,
        response: json(doneSchema, 'They are one'),
      },
    },
    async (request) => {
      const from = await found(request, request.params.id);
      const into = await found(request, request.body.into);
      if (from.id === into.id) throw new ProblemError(400, 'invalid-request', 'They are one incident already.');
      request.auditDetail = `into ${into.id}`;
      return { done: triage.incidents.merge(from.id, into.id, request.who.name) };
    },
  );

  app.post(
    '/incidents/:id/split',
    {
      config: { access: { role: 'analyst', audit: 'incident.split' } },
      schema: {
        operationId: 'splitIncident',
        summary: 'Take alerts out, into a new incident or into none',
        tags: ['triage'],
        params: idParamsSchema,
        body: splitSchema,
        response: json(Type.Object({ incident: Type.Integer() }), 'Number of the new incident; 0 for none'),
      },
    },
    async (request) => {
      const from = await found(request, request.params.id);
      const visible = new Set(from.items.map((item) => item.uid));
      const { uids, into } = request.body;
      const incident = uids.every((uid) => visible.has(uid))
        ? triage.incidents.split(from.id, uids, request.who.name, into)
        : undefined;
      if (incident === undefined)
        throw new ProblemError(409, 'not-a-member', 'One of the alerts is not part of this incident (any more).');
      request.auditDetail = `${uids.length} alerts to ${incident}`;
      return { incident };
    },
  );

  app.post(
    '/incidents/:id/alerts',
    {
      config: { access: { role: 'analyst', audit: 'incident.grown' } },
      schema: {
        operationId: 'addToIncident',
        summary: 'Put alerts into an incident',
        tags: ['triage'],
        params: idParamsSchema,
        body: addSchema,
        response: json(doneSchema, 'They are in'),
      },
    },
    async (request) => {
      const into = await found(request, request.params.id);
      for (const uid of request.body.uids) await seenAlert(deps, request, uid);
      return { done: triage.incidents.add(into.id, request.body.uids, request.who.name) };
    },
  );

  app.get(
    '/incidents/:id/report',
    {
      config: { access: { role: 'viewer', audit: 'report.made' } },
      schema: {
        operationId: 'reportIncident',
        summary: 'The incident as a page to print',
        tags: ['triage'],
        params: idParamsSchema,
        response: file('text/html', 'The report'),
      },
    },
    async (request, reply) => {
      const incident = await found(request, request.params.id);
      const rows = new Map((await exported(incident)).alerts.map((row) => [row.uid, row]));
      return sendReport(reply, {
        title: `Incident ${incident.id}: ${incident.title}`,
        alerts: incident.items.slice(0, SHOWN).flatMap((item) => {
          const row = rows.get(item.uid);
          return row === undefined ? [] : [{ row, item, history: triage.history(item.uid) }];
        }),
        history: incident.history,
        madeBy: request.who.name,
      });
    },
  );

  app.get(
    '/alerts/:uid/report',
    {
      config: { access: { role: 'viewer', audit: 'report.made' } },
      schema: {
        operationId: 'reportAlert',
        summary: 'The alert as a page to print',
        tags: ['triage'],
        params: alertParamsSchema,
        response: file('text/html', 'The report'),
      },
    },
    async (request, reply) => {
      const row = await seenAlert(deps, request, request.params.uid);
      const item = triage.item(row.uid)!;
      return sendReport(reply, {
        title: row.title,
        alerts: [{ row, item, history: triage.history(row.uid) }],
        history: [],
        madeBy: request.who.name,
      });
    },
  );

  app.get(
    '/incidents/:id/stix',
    {
      config: { access: { role: 'viewer', audit: 'incident.exported' } },
      schema: {
        operationId: 'exportStix',
        summary: 'The incident as a STIX 2.1 bundle',
        tags: ['triage'],
        params: idParamsSchema,
        response: file('application/stix+json;version=2.1', 'The bundle'),
      },
    },
    async (request, reply) => {
      const incident = await found(request, request.params.id);
      return reply
        .type('application/stix+json;version=2.1')
        .header('content-disposition', `attachment; filename="wardwatch-incident-${incident.id}.stix.json"`)
        .send(JSON.stringify(toStix(await exported(incident), deps.version)));
    },
  );

  app.get(
    '/incidents/:id/misp',
    {
      config: { access: { role: 'viewer', audit: 'incident.exported' } },
      schema: {
        operationId: 'exportMisp',
        summary: 'The incident as a MISP event',
        tags: ['triage'],
        params: idParamsSchema,
        response: file('application/json', 'The event'),
      },
    },
    async (request, reply) => {
      const incident = await found(request, request.params.id);
      return reply
        .type('application/json')
        .header('content-disposition', `attachment; filename="wardwatch-incident-${incident.id}.misp.json"`)
        .send(JSON.stringify(toMisp(await exported(incident))));
    },
  );
}
