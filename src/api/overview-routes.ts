import type { FastifyInstance } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Facet } from '../store/contract.ts';
import { json } from './answers.ts';
import type { ApiDeps } from './contract.ts';
import { overviewNowQuerySchema, overviewNowSchema } from './schemas-overview.ts';
import type { OverviewNow } from './schemas-overview.ts';

const HOUR_MS = 3_600_000;
const NEW_MS = 24 * HOUR_MS;
/** Medium: from here on an alert needs a person. */
const NEEDS_PERSON = 3;
/** Bars of the chart of alerts over time. */
const SLOTS = 48;
const MOST_CLASSES = 200;
const RISK_MEDIUM = 2;
const RISK_HIGH = 3;

const NOTHING: Pick<OverviewNow, 'waiting' | 'blind_spots'> = {
  waiting: { count: 0, oldest: null, by_severity: {} },
  blind_spots: 0,
};

/** What the start page of the console is made of: what needs a person, and whether Wardwatch itself is well. */
export function registerOverviewRoutes(
  scope: FastifyInstance,
  deps: Pick<ApiDeps, 'store' | 'triage' | 'status' | 'delivery'>,
): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const { store, triage } = deps;
  app.get(
    '/overview/now',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'getOverviewNow',
        summary: 'What needs a person now, devices by class and risk, alerts over time, delivery',
        tags: ['system'],
        querystring: overviewNowQuerySchema,
        response: json(overviewNowSchema, 'The overview'),
      },
    },
    async (request) => {
      const { vlans } = request.who;
      const mine = vlans === undefined ? {} : { vlans };
      const now = deps.status().event_time ?? Date.now();
      const stepMs = Math.round(((request.query.hours ?? 24) * HOUR_MS) / SLOTS);
      const from = Math.max(0, now - SLOTS * stepMs);
      const newFrom = Math.max(0, now - NEW_MS);
      const [all = [], phases = []] = valuesOf(await store.facets(mine, ['type', 'phase'], MOST_CLASSES));
      const [medium = []] = valuesOf(await store.facets({ ...mine, riskAtLeast: RISK_MEDIUM }, ['type'], MOST_CLASSES));
      const [high = []] = valuesOf(await store.facets({ ...mine, riskAtLeast: RISK_HIGH }, ['type'], MOST_CLASSES));
      const fresh = await store.devices({ ...mine, firstSeenFrom: newFrom }, 1);
      const byClass = all.map(({ value, n }) => ({
        type: value,
        total: n,
        medium: countOf(medium, value),
        high: countOf(high, value),
      }));
      byClass.sort((a, b) => b.high - a.high || b.medium - a.medium || b.total - a.total);
      const delivery = deps.delivery?.();
      return {
        now,
        ...(triage === undefined
          ? NOTHING
          : {
              waiting: triage.waiting({ severity: NEEDS_PERSON, ...mine }),
              blind_spots: triage.count({ contributed: 'blind-spot', ...mine }),
            }),
        devices: {
          total: all.reduce((sum, { n }) => sum + n, 0),
          new_from: newFrom,
          new: fresh.total,
          unknown: countOf(all, 'unknown') + countOf(all, ''),
          learning: countOf(phases, 'learning'),
          by_class: byClass,
        },
        timeline: { from, step_ms: stepMs, rows: triage?.timeline(from, now, stepMs, vlans) ?? [] },
        delivery:
          delivery === undefined
            ? null
            : { ...delivery.counts, endpoints: delivery.endpoints.map((endpoint) => ({ ...endpoint })) },
      };
    },
  );
}

const valuesOf = (facets: readonly Facet[]): Facet['values'][] => facets.map(({ values }) => values);
const countOf = (values: Facet['values'], of: string): number => values.find(({ value }) => value === of)?.n ?? 0;
