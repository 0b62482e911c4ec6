import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Access } from '../access/index.ts';
import { json, problems } from './answers.ts';
import { auditPageSchema, auditQuerySchema, auditVerdictSchema } from './schemas-access.ts';

const DEFAULT_ROWS = 100;

/** The audit log, for admins. Looking into it is written down as well. */
export function registerAuditRoutes(scope: FastifyInstance, access: Access): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();

  app.get(
    '/audit',
    {
      config: { access: { role: 'admin' } },
      schema: {
        operationId: 'listAudit',
        summary: 'Who did what, newest first',
        tags: ['access'],
        querystring: auditQuerySchema,
        response: json(auditPageSchema, 'A page of the audit log'),
      },
    },
    async (request) => {
      const { limit = DEFAULT_ROWS, before, ...filter } = request.query;
      const rows = access.audit.list(limit + 1, before, filter);
      return { rows: rows.slice(0, limit), next: rows.length > limit ? rows[limit - 1]!.seq : null };
    },
  );

  app.get(
    '/audit/verify',
    {
      config: { access: { role: 'admin', audit: 'audit.verified' } },
      schema: {
        operationId: 'verifyAudit',
        summary: 'Compute the whole chain of the audit log again',
        tags: ['access'],
        response: json(auditVerdictSchema, 'Whether an entry was changed, is missing or was cut off'),
      },
    },
    async (request) => {
      const verdict = access.audit.verify();
      request.auditDetail = verdict.ok ? 'right' : `wrong at ${verdict.seq}`;
      if (verdict.ok)
        return { ok: true, entries: verdict.head.seq, head: verdict.head.hash, keyed: verdict.keyed, fault: null };
      const keyed = access.config.audit_key_file !== undefined;
      return { ok: false, entries: verdict.seq - 1, head: '', keyed, fault: verdict.fault };
    },
  );

  app.get(
    '/export/audit',
    {
      config: { access: { role: 'admin', audit: 'audit.exported' } },
      schema: {
        operationId: 'exportAudit',
        summary: 'The whole audit log, one JSON object a line, oldest first',
        tags: ['access'],
        response: {
          200: {
            description: 'The entries as they are chained, each with its hash',
            content: { 'application/x-ndjson': { schema: Type.String() } },
          },
          ...problems,
        },
      },
    },
    async (_request, reply: FastifyReply) =>
      reply
        .type('application/x-ndjson; charset=utf-8')
        .header('content-disposition', 'attachment; filename="wardwatch-audit.ndjson"')
        .send(Readable.from(access.audit.lines())),
  );
}
