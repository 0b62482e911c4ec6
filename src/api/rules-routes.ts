import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Scope } from '../alerts/decisions.ts';
import type { MaintenanceWindow, Rule } from '../desk/rules.ts';
import { json } from './answers.ts';
import type { PipelineStatus } from './contract.ts';
import { notFound, ProblemError } from './problems.ts';
import {
  idParamsSchema,
  maintenanceListSchema,
  newRuleSchema,
  newWindowSchema,
  previewSchema,
  ruleListSchema,
  ruleSchema,
  scopeSchema,
  windowSchema,
} from './schemas-triage.ts';
import type { RuleBody, ScopeBody, WindowBody } from './schemas-triage.ts';
import type { TriageRouteDeps } from './triage-routes.ts';

/** A scope has to name something, and no time that ends before it begins. */
function checked(scope: ScopeBody, request: FastifyRequest): Scope {
  if (Object.keys(scope).length === 0)
    throw new ProblemError(400, 'invalid-request', 'The scope is empty: it would take in everything.', {
      remedy: 'Name a device, a class, a VLAN, a detector, a peer or a service.',
    });
  if (scope.from_ms !== undefined && scope.to_ms !== undefined && scope.from_ms > scope.to_ms)
    throw new ProblemError(400, 'invalid-request', '`from_ms` is after `to_ms`.');
  const { vlans } = request.who;
  if (vlans !== undefined && (scope.vlan === undefined || !vlans.includes(scope.vlan)))
    throw new ProblemError(403, 'not-allowed', 'You see some VLANs only: the rule has to name one of them.');
  return scope;
}

const ruleBody = (rule: Rule): RuleBody => ({ ...rule, scope: rule.scope });
const windowBody = (window: MaintenanceWindow): WindowBody => ({ ...window, scope: window.scope });

/** Learn, mute and close, and the maintenance calendar. */
export function registerRulesRoutes(
  scope: FastifyInstance,
  deps: TriageRouteDeps & { status(): PipelineStatus },
): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const { triage, store } = deps;
  const { rules } = triage;
  /** Event time: captures may be of any year. */
  const nowMs = (): number => deps.status().event_time ?? Date.now();
  const mine = (request: FastifyRequest, scope: Scope): boolean =>
    request.who.vlans === undefined || (scope.vlan !== undefined && request.who.vlans.includes(scope.vlan));

  app.get(
    '/rules',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listRules',
        summary: 'Rules that learn, mute or close, the newest first',
        tags: ['triage'],
        response: json(ruleListSchema, 'The rules'),
      },
    },
    async (request) => ({
      rows: rules
        .rules()
        .filter((rule) => mine(request, rule.scope))
        .map(ruleBody),
    }),
  );

  app.get(
    '/rules/decisions',
    {
      config: { access: { role: 'analyst' } },
      schema: {
        operationId: 'getDecisions',
        summary: 'What detectors obey and obeyed until it was undone, as `wardwatch replay --decisions` takes it',
        tags: ['triage'],
        response: json(
          Type.Object({
            decisions: Type.Array(
              Type.Object({
                id: Type.String(),
                act: Type.String(),
                scope: scopeSchema,
                from_us: Type.Integer(),
                until_us: Type.Integer(),
              }),
            ),
          }),
          'The decisions',
        ),
      },
    },
    async () => ({ decisions: rules.logged().map((one) => ({ ...one, scope: one.scope })) }),
  );

  app.post(
    '/rules/preview',
    {
      config: { access: { role: 'analyst' } },
      schema: {
        operationId: 'previewRule',
        summary: 'What a scope would have met in the last 30 days, and what of it is open',
        tags: ['triage'],
        body: Type.Object({ scope: scopeSchema }, { additionalProperties: false }),
        response: json(previewSchema, 'The preview'),
      },
    },
    async (request) => {
      const preview = rules.preview(checked(request.body.scope, request), nowMs(), request.who.vlans);
      const rows = await store.alertsOf([...preview.examples]);
      const examples = preview.examples.flatMap((uid) => rows.filter((row) => row.uid === uid));
      return {
        ...preview,
        by_severity: { ...preview.by_severity },
        examples: examples.map(({ ocsf: _ocsf, ...row }) => row),
      };
    },
  );

  app.post(
    '/rules',
    {
      config: { access: { role: 'analyst', audit: 'rule.made' } },
      schema: {
        operationId: 'makeRule',
        summary: 'Learn, mute or close; acts on what is open at once, if it is as much as the preview said',
        tags: ['triage'],
        body: newRuleSchema,
        response: json(ruleSchema, 'The rule'),
      },
    },
    async (request) => {
      const { act, reason, resolution, until = 0, expected } = request.body;
      const wanted = checked(request.body.scope, request);
      if (until !== 0 && until <= Date.now()) throw new ProblemError(400, 'invalid-request', '`until` is in the past.');
      if (rules.isFull)
        throw new ProblemError(409, 'too-many', 'There are as many rules as there may be.', {
          remedy: 'Undo some that never match any more.',
        });
      const { open } = rules.preview(wanted, nowMs(), request.who.vlans);
      if (open !== expected)
        throw new ProblemError(
          409,
          'count-differs',
          `The rule would act on ${open} open alerts now, not ${expected}; nothing was changed.`,
          { remedy: 'Look at the preview again.' },
        );
      const rule = await rules.create(
        { act, scope: wanted, reason, resolution: resolution ?? 'benign', until },
        request.who.name,
      );
      request.auditDetail = `rule ${rule.id}, ${act}, ${rule.matches} alerts`;
      return ruleBody(rule);
    },
  );

  app.post(
    '/rules/:id/undo',
    {
      config: { access: { role: 'analyst', audit: 'rule.undone' } },
      schema: {
        operationId: 'undoRule',
        summary: 'Take back what the rule did, where nobody has decided otherwise since',
        tags: ['triage'],
        params: idParamsSchema,
        response: json(ruleSchema, 'The rule as it is now'),
      },
    },
    async (request) => {
      const found = rules.rule(request.params.id);
      if (found === undefined || !mine(request, found.scope)) throw notFound('rule');
      return ruleBody((await rules.undo(found.id, request.who.name))!);
    },
  );

  app.get(
    '/maintenance',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listMaintenance',
        summary: 'The maintenance calendar',
        tags: ['triage'],
        response: json(maintenanceListSchema, 'The windows'),
      },
    },
    async (request) => ({
      rows: rules
        .windows()
        .filter((one) => mine(request, one.scope))
        .map(windowBody),
    }),
  );

  app.post(
    '/maintenance',
    {
      config: { access: { role: 'analyst', audit: 'maintenance.planned' } },
      schema: {
        operationId: 'planMaintenance',
        summary: 'A time in which alerts of a device or zone are marked: informational, or muted',
        tags: ['triage'],
        body: newWindowSchema,
        response: json(windowSchema, 'The window'),
      },
    },
    async (request) => {
      const { title, act, from, to } = request.body;
      if (from >= to) throw new ProblemError(400, 'invalid-request', '`from` is not before `to`.');
      const wanted = checked(request.body.scope, request);
      return windowBody(await rules.addWindow({ title, scope: wanted, act, from, to }, request.who.name));
    },
  );

  app.delete(
    '/maintenance/:id',
    {
      config: { access: { role: 'analyst', audit: 'maintenance.removed' } },
      schema: {
        operationId: 'removeMaintenance',
        summary: 'Remove a window and take its marks off',
        tags: ['triage'],
        params: idParamsSchema,
        response: json(windowSchema, 'The window as it was'),
      },
    },
    async (request) => {
      const found = rules.windows().find((one) => one.id === request.params.id);
      if (found === undefined || !mine(request, found.scope)) throw notFound('maintenance window');
      return windowBody((await rules.removeWindow(found.id, request.who.name))!);
    },
  );
}
