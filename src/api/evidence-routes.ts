import type { FastifyInstance } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { EvidenceSource } from '../desk/evidence.ts';
import { problems } from './answers.ts';
import { ProblemError } from './problems.ts';
import { alertParamsSchema } from './schemas.ts';
import { seenAlert } from './triage-routes.ts';
import type { TriageRouteDeps } from './triage-routes.ts';

/** The frames around an alert, as a capture. */
export function registerEvidenceRoutes(
  scope: FastifyInstance,
  deps: TriageRouteDeps & { readonly evidence: EvidenceSource | undefined },
): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/alerts/:uid/evidence',
    {
      config: { access: { role: 'analyst', audit: 'evidence.seen' } },
      schema: {
        operationId: 'getEvidence',
        summary: 'Frames around the alert as pcapng; payload is left out unless the site keeps it',
        tags: ['triage'],
        params: alertParamsSchema,
        response: {
          200: {
            description: 'The capture; its comment says what is left out',
            content: { 'application/x-pcapng': { schema: Type.Unknown() } },
          },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { uid } = await seenAlert(deps, request, request.params.uid);
      const found = await deps.evidence?.evidenceOf(uid);
      if (found === undefined)
        throw new ProblemError(404, 'no-evidence', 'No frames are kept for this alert.', {
          remedy: 'They are with the input that the alert names, as long as that is kept.',
        });
      request.auditDetail = `${found.frames} frames`;
      return reply
        .type('application/x-pcapng')
        .header('content-disposition', `attachment; filename="wardwatch-${uid.replaceAll(/[^\w-]/g, '_')}.pcapng"`)
        .send(Buffer.from(found.pcapng));
    },
  );
}
