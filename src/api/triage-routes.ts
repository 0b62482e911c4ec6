import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { TriageItem } from '../desk/triage-rows.ts';
import { BULK_BOUND } from '../desk/triage.ts';
import type { Triage } from '../desk/triage.ts';
import type { AlertRow } from '../kernel/rows.ts';
import type { Store } from '../store/contract.ts';
import { json } from './answers.ts';
import { notFound, ProblemError } from './problems.ts';
import { alertParamsSchema } from './schemas.ts';
import {
  bulkSchema,
  changesSchema,
  commentSchema,
  doneSchema,
  editSchema,
  idParamsSchema,
  newViewSchema,
  queueCountsSchema,
  queuePageSchema,
  queueQuerySchema,
  triageDetailsSchema,
  triageSchema,
  viewListSchema,
} from './schemas-triage.ts';
import type { EditBody, QueueRow, TriageBody } from './schemas-triage.ts';

export interface TriageRouteDeps {
  readonly triage: Triage;
  readonly store: Store;
}

/** An item as plain data of the schema. */
export const triageBody = (item: TriageItem): TriageBody => ({ ...item, tags: [...item.tags] });

/** What `who` may see, put into a filter. */
export function seen(request: FastifyRequest): { vlans?: readonly string[] } {
  const { vlans } = request.who;
  return vlans === undefined ? {} : { vlans };
}

/** Alerts with what was made of them, in the order of `items`; those that the store no longer has are left out. */
export async function joined(store: Store, items: readonly TriageItem[]): Promise<QueueRow[]> {
  const rows = new Map((await store.alertsOf(items.map((item) => item.uid))).map((row) => [row.uid, row]));
  return items.flatMap((item) => {
    const row = rows.get(item.uid);
    if (row === undefined) return [];
    const { ocsf: _ocsf, ...summary } = row;
    return [{ ...summary, triage: triageBody(item) }];
  });
}

/** The alert where the caller may see it. */
export async function seenAlert(deps: TriageRouteDeps, request: FastifyRequest, uid: string): Promise<AlertRow> {
  const row = await deps.store.alert(uid);
  const { vlans } = request.who;
  if (row === undefined || (vlans !== undefined && !vlans.includes(row.vlan))) throw notFound('alert');
  // Stored by a detector and not yet seen by the desk: it is taken now.
  if (!deps.triage.knows(row.uid, row.version)) deps.triage.accept([row]);
  return row;
}

/** The revision of `If-Match: "7"`. */
function revisionOf(request: FastifyRequest): number {
  const match = /^"(\d{1,12})"$/.exec(request.headers['if-match'] ?? '');
  if (match === null)
    throw new ProblemError(428, 'revision-missing', 'The header If-Match with the revision of the alert is missing.', {
      remedy: 'Send the `revision` that the edit was made on, such as If-Match: "7".',
    });
  return Number(match[1]);
}

/** The queue, the life of an alert, saved views and the changes for programs that poll. */
export function registerTriageRoutes(scope: FastifyInstance, deps: TriageRouteDeps): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const { triage, store } = deps;

  app.get(
    '/queue',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listQueue',
        summary: 'Alerts with what was made of them, worst or newest first',
        tags: ['triage'],
        querystring: queueQuerySchema,
        response: json(queuePageSchema, 'A page of the queue'),
      },
    },
    async (request) => {
      const { sort = 'severity', limit = 50, cursor, ...filter } = request.query;
      const page = triage.page({ ...filter, ...mineOf(filter, request), ...seen(request) }, sort, limit, cursor);
      return { rows: await joined(store, page.items), next: page.next ?? null, total: page.total, exact: page.exact };
    },
  );

  app.get(
    '/queue/counts',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'getQueueCounts',
        summary: 'What stands in the queue, by severity',
        tags: ['triage'],
        response: json(queueCountsSchema, 'The counts'),
      },
    },
    async (request) => triage.counts(request.who.vlans),
  );

  app.post(
    '/queue/bulk',
    {
      config: { access: { role: 'analyst', audit: 'alerts.changed' } },
      schema: {
        operationId: 'changeQueue',
        summary: 'The same change on all alerts that a filter finds, if they are as many as the caller has seen',
        tags: ['triage'],
        body: bulkSchema,
        response: json(doneSchema, 'All are changed'),
      },
    },
    async (request) => {
      const { filter, expected, edit } = request.body;
      const outcome = triage.bulk({ ...filter, ...seen(request) }, expected, named(edit, request), request.who.name);
      if (outcome.kind === 'differs')
        throw new ProblemError(
          409,
          'count-differs',
          `The filter finds ${outcome.count} alerts now, not ${expected}; nothing was changed.`,
          { remedy: 'Look at the list again and confirm the new number.' },
        );
      if (outcome.kind === 'too many')
        throw new ProblemError(400, 'too-many', `At most ${BULK_BOUND} alerts are changed at once.`, {
          remedy: 'Narrow the filter, or make a rule.',
        });
      request.auditDetail = `${outcome.count} alerts`;
      return { done: true, count: outcome.count };
    },
  );

  app.get(
    '/alerts/:uid/triage',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'getTriage',
        summary: 'What was made of an alert: state, history, earlier ones of its kind',
        tags: ['triage'],
        params: alertParamsSchema,
        response: json(triageDetailsSchema, 'The triage of the alert'),
      },
    },
    async (request, reply) => {
      const { uid } = await seenAlert(deps, request, request.params.uid);
      const item = triage.item(uid)!;
      void reply.header('etag', `"${item.revision}"`);
      return {
        triage: triageBody(item),
        history: triage.history(uid).map((entry) => ({
          ...entry,
          changes: Object.fromEntries(Object.entries(entry.changes).map(([field, change]) => [field, [...change]])),
        })),
        repeats: triage.repeats(uid).map(triageBody),
      };
    },
  );

  app.patch(
    '/alerts/:uid/triage',
    {
      config: { access: { role: 'analyst', audit: 'alert.changed' } },
      schema: {
        operationId: 'changeTriage',
        summary: 'Change state, assignee, tags or note; If-Match names the revision it was made on',
        tags: ['triage'],
        params: alertParamsSchema,
        headers: Type.Object({ 'if-match': Type.Optional(Type.String({ maxLength: 64 })) }),
        body: editSchema,
        response: json(triageSchema, 'The new state'),
      },
    },
    async (request, reply) => {
      const revision = revisionOf(request);
      const { uid } = await seenAlert(deps, request, request.params.uid);
      const outcome = triage.edit(uid, revision, named(request.body, request), request.who.name);
      if (outcome.kind === 'missing') throw notFound('alert');
      if (outcome.kind === 'stale') {
        void reply.header('etag', `"${outcome.item.revision}"`);
        throw new ProblemError(412, 'stale-edit', 'Somebody has changed this alert since; nothing was changed.', {
          remedy: 'Look at what is there now (`current`), then decide again.',
          current: triageBody(outcome.item),
          yours: request.body,
        });
      }
      request.auditDetail = Object.keys(request.body).join(', ');
      void reply.header('etag', `"${outcome.item.revision}"`);
      return triageBody(outcome.item);
    },
  );

  app.post(
    '/alerts/:uid/comments',
    {
      config: { access: { role: 'analyst', audit: 'alert.commented' } },
      schema: {
        operationId: 'commentAlert',
        summary: 'Add a comment',
        tags: ['triage'],
        params: alertParamsSchema,
        body: commentSchema,
        response: json(doneSchema, 'It is there'),
      },
    },
    async (request) => {
      const { uid } = await seenAlert(deps, request, request.params.uid);
      return { done: triage.comment(uid, request.body.text, request.who.name) };
    },
  );

  app.get(
    '/alerts/changes',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'pollAlerts',
        summary: 'Alerts in the order in which they changed, for programs that pull',
        description:
          'Without a cursor from the beginning. Every change (a new version, a decision, a comment) moves an alert to ' +
          'the end; it is given once in its newest form, none is skipped and none repeated, also while others are ' +
          'being written. A cursor of another database is answered with 410: begin anew.',
        tags: ['triage'],
        querystring: Type.Object(
          {
            cursor: Type.Optional(Type.String({ maxLength: 64 })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
          },
          { additionalProperties: false },
        ),
        response: json(changesSchema, 'What has changed'),
      },
    },
    async (request) => {
      const { cursor, limit = 200 } = request.query;
      const changes = triage.changes(cursor, limit, request.who.vlans);
      if (changes === undefined)
        throw new ProblemError(410, 'cursor-gone', 'The cursor is not of this database.', {
          remedy: 'Begin without a cursor; what you have already you know by `uid` and `version`.',
        });
      const rows = await joined(store, changes.items);
      // A version that the desk has not taken yet comes in its turn, not now and then again.
      const early = rows.filter((row) => row.version > row.triage.version).map((row) => row.uid);
      return { rows: rows.filter((row) => !early.includes(row.uid)), cursor: changes.cursor, more: changes.more };
    },
  );

  app.get(
    '/views',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listViews',
        summary: 'Saved filters: your own, and those that others share',
        tags: ['triage'],
        response: json(viewListSchema, 'The views'),
      },
    },
    async (request) => ({
      rows: triage.views.of(request.who.name).map((view) => ({ ...view, own: view.owner === request.who.name })),
    }),
  );

  app.post(
    '/views',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'saveView',
        summary: 'Save a filter under a name; one of yours with this name is replaced',
        tags: ['triage'],
        body: newViewSchema,
        response: json(doneSchema, 'It is saved'),
      },
    },
    async (request) => {
      const { shared } = request.body;
      if (shared && request.who.role === 'viewer')
        throw new ProblemError(403, 'not-allowed', 'Sharing a view needs the role analyst.');
      if (triage.views.save(request.body, request.who.name) === undefined)
        throw new ProblemError(409, 'too-many', 'You have as many views as there may be.', {
          remedy: 'Remove one first.',
        });
      return { done: true };
    },
  );

  app.delete(
    '/views/:id',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'removeView',
        summary: 'Remove a view of yours',
        tags: ['triage'],
        params: idParamsSchema,
        response: json(doneSchema, 'It is gone'),
      },
    },
    async (request) => {
      if (!triage.views.remove(request.params.id, request.who.name)) throw notFound('view');
      return { done: true };
    },
  );
}

/** `@me` is whoever asks. */
const ME = '@me';

function named(edit: EditBody, request: FastifyRequest): EditBody {
  return edit.assignee === ME ? { ...edit, assignee: request.who.name } : edit;
}

function mineOf(filter: { assignee?: string }, request: FastifyRequest): { assignee?: string } {
  return filter.assignee === ME ? { assignee: request.who.name } : {};
}
