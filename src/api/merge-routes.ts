import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { MergeEntry, MergeOutcome, Merges } from '../desk/inventory.ts';
import type { DeviceRow } from '../kernel/rows.ts';
import type { Store } from '../store/contract.ts';
import { json } from './answers.ts';
import { notFound, ProblemError } from './problems.ts';
import { mergeActSchema, mergeBodySchema, mergeIdSchema, mergesSchema, splitBodySchema } from './schemas-inventory.ts';
import type { MergeActBody } from './schemas-inventory.ts';
import { deviceParamsSchema } from './schemas.ts';

const MAX_CHANGES = 200;

/** One row for a device and all that was merged into it: the main one's word, and all of their addresses and traffic. */
export function combineRows(main: DeviceRow, parts: readonly DeviceRow[]): DeviceRow {
  const all = [main, ...parts];
  const sum = (of: (row: DeviceRow) => number): number => all.reduce((n, row) => n + of(row), 0);
  const texts = (of: (row: DeviceRow) => readonly string[]): string[] => [...new Set(all.flatMap(of))].slice(0, 64);
  return {
    ...main,
    ips: texts((row) => row.ips),
    ae_titles: texts((row) => row.ae_titles),
    first_seen: Math.min(...all.map((row) => row.first_seen)),
    last_seen: Math.max(...all.map((row) => row.last_seen)),
    packets: sum((row) => row.packets),
    bytes: sum((row) => row.bytes),
  };
}

/** Devices of which a person says that they are one, or two. */
export function registerMergeRoutes(scope: FastifyInstance, deps: { store: Store; merges: Merges }): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const { store, merges } = deps;
  const seen = async (key: string, request: FastifyRequest): Promise<DeviceRow> => {
    const row = await store.device(key, request.who.vlans);
    if (row === undefined) throw notFound('device');
    return row;
  };
  const answered = (outcome: MergeOutcome, request: FastifyRequest): MergeActBody => {
    if (outcome.kind === 'refused') throw new ProblemError(409, 'conflict', outcome.why);
    const { entry } = outcome;
    request.auditDetail = `${entry.act} ${entry.device} ${entry.other}`;
    return bodyOf(entry);
  };

  app.get(
    '/devices/:key/merges',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listDeviceMerges',
        summary: 'What a device was merged with, what is likely the same, and what people have said about that',
        tags: ['devices'],
        params: deviceParamsSchema,
        response: json(mergesSchema, 'Parts, suggestions and history'),
      },
    },
    async (request) => {
      const { device } = await seen(request.params.key, request);
      const { vlans } = request.who;
      const main = merges.mainOf(device);
      const members = merges.membersOf(main);
      const rows = await Promise.all(members.map((key) => store.device(key, vlans)));
      // What a viewer of some VLANs may not see is not told of either.
      const parts = rows.filter((row) => row !== undefined);
      const changes = await store.changes(0, Number.MAX_SAFE_INTEGER, MAX_CHANGES, { device });
      const suggestions = [];
      for (const change of changes) {
        if (change.kind !== 'same-as' || members.includes(change.after)) continue;
        if (merges.isDistinct(device, change.after) || (await store.device(change.after, vlans)) === undefined)
          continue;
        suggestions.push({ device: change.after, reason: change.reason, time: change.time });
      }
      const shown = new Set(parts.map((row) => row.device));
      const isSeen = async (key: string): Promise<boolean> =>
        vlans === undefined || shown.has(key) || (await store.device(key, vlans)) !== undefined;
      const history: MergeActBody[] = [];
      for (const entry of merges.history(members))
        if ((await isSeen(entry.device)) && (await isSeen(entry.other))) history.push(bodyOf(entry));
      return {
        main,
        parts: parts.map(({ device: key, hostname, mac, ip, vlan, type, last_seen }) => ({
          device: key,
          hostname,
          mac,
          ip,
          vlan,
          type,
          last_seen,
        })),
        suggestions,
        history,
      };
    },
  );

  app.post(
    '/devices/:key/merges',
    {
      config: { access: { role: 'engineer', audit: 'devices.merged' } },
      schema: {
        operationId: 'mergeDevice',
        summary: 'The device is the same as another one, which stands for both from then on',
        tags: ['devices'],
        params: deviceParamsSchema,
        body: mergeBodySchema,
        response: json(mergeActSchema, 'What was done'),
      },
    },
    async (request) => {
      const [device, other] = await Promise.all([seen(request.params.key, request), seen(request.body.other, request)]);
      return answered(
        merges.merge(device.device, other.device, request.who.name, request.body.reason, Date.now()),
        request,
      );
    },
  );

  app.post(
    '/devices/:key/split',
    {
      config: { access: { role: 'engineer', audit: 'device.split' } },
      schema: {
        operationId: 'splitDevice',
        summary: 'The device is not part of the one that it was merged into',
        tags: ['devices'],
        params: deviceParamsSchema,
        body: splitBodySchema,
        response: json(mergeActSchema, 'What was done'),
      },
    },
    async (request) => {
      const { device } = await seen(request.params.key, request);
      return answered(merges.split(device, request.who.name, request.body.reason, Date.now()), request);
    },
  );

  app.post(
    '/devices/:key/distinct',
    {
      config: { access: { role: 'engineer', audit: 'devices.told-apart' } },
      schema: {
        operationId: 'tellDevicesApart',
        summary: 'The device is not the same as another one: that is not suggested again',
        tags: ['devices'],
        params: deviceParamsSchema,
        body: mergeBodySchema,
        response: json(mergeActSchema, 'What was done'),
      },
    },
    async (request) => {
      const [device, other] = await Promise.all([seen(request.params.key, request), seen(request.body.other, request)]);
      return answered(
        merges.distinguish(device.device, other.device, request.who.name, request.body.reason, Date.now()),
        request,
      );
    },
  );

  app.post(
    '/inventory/merges/:id/undo',
    {
      config: { access: { role: 'engineer', audit: 'device-merge.undone' } },
      schema: {
        operationId: 'undoMerge',
        summary: 'Take back a merge, a split or a distinction, where nothing later rests on it',
        tags: ['devices'],
        params: mergeIdSchema,
        response: json(mergeActSchema, 'What was taken back'),
      },
    },
    async (request) => {
      const entry = merges.entry(request.params.id);
      if (entry === undefined) throw notFound('merge');
      await Promise.all([seen(entry.device, request), seen(entry.other, request)]);
      const outcome = merges.undo(entry.id, request.who.name, Date.now());
      if (outcome === undefined) throw notFound('merge');
      return answered(outcome, request);
    },
  );
}

function bodyOf(entry: MergeEntry): MergeActBody {
  return {
    id: entry.id,
    act: entry.act,
    device: entry.device,
    other: entry.other,
    time: entry.atMs,
    who: entry.who,
    reason: entry.reason,
    undone_time: entry.undoneMs === 0 ? null : entry.undoneMs,
    undone_by: entry.undoneBy,
  };
}
