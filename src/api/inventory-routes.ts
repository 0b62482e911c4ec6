import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Asset, AssetKeys } from '../desk/assets.ts';
import { loadClasses } from '../identity/classes.ts';
import { loadProfiles } from '../identity/profiles.ts';
import type { ProfileSpec } from '../identity/profile-schema.ts';
import type { DeviceRow } from '../kernel/rows.ts';
import type { DeviceField, DeviceFilter, Page, Store } from '../store/contract.ts';
import { json, problems } from './answers.ts';
import { compare } from './comparison.ts';
import type { ApiConfig } from './config.ts';
import type { ApiDeps } from './contract.ts';
import { csvCell, deviceColumns, exportStream, firstPageRows } from './export.ts';
import { combineRows } from './merge-routes.ts';
import { notFound, ProblemError } from './problems.ts';
import {
  addressListSchema,
  changesQuerySchema,
  changesSchema,
  channelListSchema,
  comparisonSchema,
  dataFlowsQuerySchema,
  dataFlowsSchema,
  FACETS,
  facetsQuerySchema,
  facetsSchema,
  inventoryExportQuerySchema,
  inventoryQuerySchema,
  sqlAnswerSchema,
  sqlBodySchema,
} from './schemas-inventory.ts';
import { deviceAssetSchema, deviceParamsSchema, devicePageSchema } from './schemas.ts';

const MAX_CHANNELS = 1000;
const DAY_MS = 86_400_000;

type FilterQuery = Omit<Static<typeof facetsQuerySchema>, 'fields' | 'most'>;

/** Names of parameters for the fields of the store. */
const NAMED: readonly (readonly [keyof FilterQuery, DeviceField])[] = [
  ['type', 'type'],
  ['vendor', 'vendor_name'],
  ['model', 'model'],
  ['hostname', 'hostname'],
  ['os', 'os'],
  ['os_version', 'os_version'],
  ['firmware', 'firmware'],
  ['serial', 'serial'],
  ['mac', 'mac'],
  ['vlan', 'vlan'],
  ['phase', 'phase'],
  ['ae_title', 'ae_title'],
];

/** The filter of a request, within the VLANs that its sender may see. */
function filterOf(query: FilterQuery, request: FastifyRequest): DeviceFilter {
  const fields: Partial<Record<DeviceField, readonly string[]>> = {};
  for (const [name, field] of NAMED) {
    const value = query[name];
    if (value !== undefined) fields[field] = Array.isArray(value) ? value : [String(value)];
  }
  for (const [from, to] of [
    ['first_seen_from', 'first_seen_to'],
    ['last_seen_from', 'last_seen_to'],
    ['confidence_from', 'confidence_to'],
  ] as const)
    if ((query[from] ?? -Infinity) > (query[to] ?? Infinity))
      throw new ProblemError(400, 'invalid-request', `\`${from}\` is above \`${to}\`.`, {
        remedy: 'Exchange the two: nothing can fit both.',
      });
  const { vlans } = request.who;
  return {
    fields,
    ...(query.ip === undefined ? {} : { ip: query.ip }),
    ...(query.gateway === undefined ? {} : { gateway: query.gateway }),
    ...(query.risk === undefined ? {} : { riskAtLeast: query.risk }),
    ...(query.confidence_from === undefined ? {} : { confidenceAtLeast: query.confidence_from }),
    ...(query.confidence_to === undefined ? {} : { confidenceAtMost: query.confidence_to }),
    ...(query.first_seen_from === undefined ? {} : { firstSeenFrom: query.first_seen_from }),
    ...(query.first_seen_to === undefined ? {} : { firstSeenTo: query.first_seen_to }),
    ...(query.last_seen_from === undefined ? {} : { lastSeenFrom: query.last_seen_from }),
    ...(query.last_seen_to === undefined ? {} : { lastSeenTo: query.last_seen_to }),
    ...(query.text === undefined ? {} : { text: query.text }),
    ...(vlans === undefined ? {} : { vlans }),
  };
}

const assetKeys = ({ device, mac, serial, hostname }: DeviceRow): AssetKeys => ({
  device,
  mac,
  serial,
  name: hostname,
});

const access = { role: 'viewer' } as const;
const devices = (operationId: string, summary: string) => ({ operationId, summary, tags: ['devices'] });

/** The inventory: devices, what they do, what has changed, where clinical data flows, and SQL for analysts. */
export function registerInventoryRoutes(
  scope: FastifyInstance,
  config: ApiConfig,
  deps: Pick<ApiDeps, 'store' | 'status' | 'merges' | 'assets'>,
): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const { store } = deps;
  const profileOf = lazyProfiles();
  /** What was merged into another device is not listed by itself. */
  const shown = (query: FilterQuery, request: FastifyRequest): DeviceFilter => {
    const { vlans } = request.who;
    // Who may not see the device that stands for a part still sees the part.
    const without = [...(deps.merges?.all() ?? [])]
      .filter(([main]) => vlans === undefined || vlans.includes(main.slice(0, Math.max(0, main.lastIndexOf('/')))))
      .flatMap(([, parts]) => parts);
    return { ...filterOf(query, request), ...(without.length === 0 ? {} : { without }) };
  };
  const combined = async (page: Page<DeviceRow>, request: FastifyRequest): Promise<Page<DeviceRow>> => {
    const members = deps.merges?.all();
    if (members === undefined || members.size === 0) return page;
    const rows = await Promise.all(
      page.rows.map(async (row) => {
        const parts = await Promise.all(
          (members.get(row.device) ?? []).map((key) => store.device(key, request.who.vlans)),
        );
        return parts.length === 0
          ? row
          : combineRows(
              row,
              parts.filter((part) => part !== undefined),
            );
      }),
    );
    return { ...page, rows };
  };
  /** The device and what was merged into it. */
  const keysOf = (device: string): string[] => deps.merges?.membersOf(device) ?? [device];

  app.get(
    '/devices',
    {
      config: { access },
      schema: {
        ...devices('listDevices', 'Devices of the inventory'),
        querystring: inventoryQuerySchema,
        response: json(devicePageSchema, 'A page of devices'),
      },
    },
    async (request) => {
      const { limit = 50, cursor, sort = 'last_seen', ...query } = request.query;
      const page = await combined(
        await store.devices({ ...shown(query, request), sort, summary: true }, limit, cursor),
        request,
      );
      const assets = deps.assets?.assetsOf(page.rows.map(assetKeys)) ?? new Map<string, Asset>();
      return { rows: page.rows, next: page.next ?? null, total: page.total, assets: Object.fromEntries(assets) };
    },
  );

  app.get(
    '/export/devices',
    {
      config: { access: { ...access, audit: 'devices.exported' } },
      schema: {
        ...devices('exportDevices', 'Devices as a file'),
        querystring: inventoryExportQuerySchema,
        response: {
          200: {
            description: 'The rows. `wardwatch-rows-total` says how many the filter finds, also where fewer are sent.',
            content: {
              'text/csv': { schema: Type.String() },
              'application/json': { schema: Type.String() },
              'application/x-ndjson': { schema: Type.String() },
            },
          },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { format = 'csv', sort = 'last_seen', ...query } = request.query;
      const filter: DeviceFilter = { ...shown(query, request), sort, summary: format === 'csv' };
      const first = await combined(await store.devices(filter, firstPageRows(config.export_rows)), request);
      const rest = async (limit: number, cursor: string) =>
        combined(await store.devices(filter, limit, cursor), request);
      const ending = format === 'ocsf' ? 'ocsf.ndjson' : format;
      const type = {
        csv: 'text/csv',
        json: 'application/json',
        ndjson: 'application/x-ndjson',
        ocsf: 'application/x-ndjson',
      };
      const body = exportStream(format, deviceColumns, first, rest, config.export_rows);
      return sendFile(reply, `${type[format]}; charset=utf-8`, `devices.${ending}`, body, first.total);
    },
  );

  app.get(
    '/inventory/facets',
    {
      config: { access },
      schema: {
        ...devices('countDevices', 'How many devices have each value of a field'),
        querystring: facetsQuerySchema,
        response: json(facetsSchema, 'Values of each field, most frequent first'),
      },
    },
    async (request) => {
      const { fields = 'type,vendor_name,os,vlan,phase', most = 20, ...query } = request.query;
      const wanted = [...new Set(fields.split(','))];
      const wrong = wanted.find((field) => !FACETS.includes(field as (typeof FACETS)[number]));
      if (wrong !== undefined)
        throw new ProblemError(400, 'invalid-request', `\`${wrong.slice(0, 60)}\` cannot be counted by.`, {
          remedy: `Give some of ${FACETS.join(', ')}, with commas.`,
        });
      return { facets: await store.facets(shown(query, request), wanted as DeviceField[], most) };
    },
  );

  app.get(
    '/inventory/changes',
    {
      config: { access },
      schema: {
        ...devices('listChanges', 'What has changed in the inventory, newest first'),
        querystring: changesQuerySchema,
        response: json(changesSchema, 'Changes'),
      },
    },
    async (request) => changesOf(store, request.query, deps.status().event_time, { vlans: request.who.vlans }),
  );

  app.get(
    '/inventory/data-flows',
    {
      config: { access },
      schema: {
        ...devices('listDataFlows', 'Where clinical data flows: between which kinds of devices, how, and since when'),
        querystring: dataFlowsQuerySchema,
        response: {
          200: {
            description: 'Kinds of data flows, those of most devices first',
            content: { 'application/json': { schema: dataFlowsSchema }, 'text/csv': { schema: Type.String() } },
          },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { clinical = true, type, limit = 500, format = 'json' } = request.query;
      const { vlans } = request.who;
      const rows = await store.dataFlows({
        clinical,
        limit,
        ...(type === undefined ? {} : { type }),
        ...(vlans === undefined ? {} : { vlans }),
      });
      if (format === 'json') return { rows };
      const names = Object.keys(dataFlowsSchema.properties.rows.items.properties) as (keyof (typeof rows)[number])[];
      const lines = rows.map((row) =>
        names
          .map((name) => csvCell(name.endsWith('_seen') ? new Date(Number(row[name])).toISOString() : row[name]))
          .join(','),
      );
      const body = `${[names.join(','), ...lines].join('\r\n')}\r\n`;
      return sendFile(reply, 'text/csv; charset=utf-8', 'data-flows.csv', body, rows.length);
    },
  );

  const ofDevice = async (request: FastifyRequest, key: string): Promise<DeviceRow> => {
    const device = await store.device(key);
    const { vlans } = request.who;
    if (device === undefined || (vlans !== undefined && !vlans.includes(device.vlan))) throw notFound('device');
    return device;
  };

  app.get(
    '/devices/:key/asset',
    {
      config: { access },
      schema: {
        ...devices('getDeviceAsset', 'What the maintenance system of the site knows of a device'),
        params: deviceParamsSchema,
        response: json(deviceAssetSchema, 'The asset; null where none fits'),
      },
    },
    async (request) => {
      const device = await ofDevice(request, request.params.key);
      return { asset: deps.assets?.assetsOf([assetKeys(device)]).get(device.device) ?? null };
    },
  );

  app.get(
    '/devices/:key/channels',
    {
      config: { access },
      schema: {
        ...devices('listDeviceChannels', 'With whom a device talks, in what and since when'),
        params: deviceParamsSchema,
        response: json(channelListSchema, 'Channels, last used first'),
      },
    },
    async (request) => {
      const device = await ofDevice(request, request.params.key);
      return { rows: await store.channelsOf(keysOf(device.device), MAX_CHANNELS) };
    },
  );

  app.get(
    '/devices/:key/addresses',
    {
      config: { access },
      schema: {
        ...devices('listDeviceAddresses', 'Which addresses a device has had, and when'),
        params: deviceParamsSchema,
        response: json(addressListSchema, 'Addresses, newest first'),
      },
    },
    async (request) => {
      const device = await ofDevice(request, request.params.key);
      return { rows: await store.addressesOf(keysOf(device.device), MAX_CHANNELS) };
    },
  );

  app.get(
    '/devices/:key/changes',
    {
      config: { access },
      schema: {
        ...devices('listDeviceChanges', 'What has changed of a device, newest first'),
        params: deviceParamsSchema,
        querystring: changesQuerySchema,
        response: json(changesSchema, 'Changes'),
      },
    },
    async (request) => {
      const device = await ofDevice(request, request.params.key);
      const { from = 0, to = Number.MAX_SAFE_INTEGER, ...rest } = request.query;
      return changesOf(store, { from, to, ...rest }, to, { device: device.device, vlans: undefined });
    },
  );

  app.get(
    '/devices/:key/comparison',
    {
      config: { access },
      schema: {
        ...devices('compareDevice', 'What is declared of a device, what was learned and what is observed'),
        params: deviceParamsSchema,
        response: json(comparisonSchema, 'Side by side, what is not declared first'),
      },
    },
    async (request) => {
      const device = await ofDevice(request, request.params.key);
      const channels = await store.channelsOf(keysOf(device.device), MAX_CHANNELS);
      return compare(profileOf(device.fields['profile']?.value), channels);
    },
  );

  app.post(
    '/query',
    {
      config: { access: { role: 'analyst', audit: 'sql.asked' } },
      schema: {
        ...devices('askSql', 'One SELECT over the tables of the store, with limits of rows, time and memory'),
        body: sqlBodySchema,
        response: json(sqlAnswerSchema, 'Columns and rows'),
      },
    },
    async (request) => {
      if (request.who.vlans !== undefined)
        throw new ProblemError(403, 'not-allowed', 'You see some VLANs only, and SQL sees all.', {
          remedy: 'Use the lists and their filters, or ask an admin.',
        });
      return store.sql(request.body.sql);
    },
  );
}

function sendFile(reply: FastifyReply, type: string, name: string, body: string | Readable, total: number) {
  return reply
    .type(type)
    .header('content-disposition', `attachment; filename="wardwatch-${name}"`)
    .header('wardwatch-rows-total', String(total))
    .send(body);
}

/** A page of changes; its cursor is the place of the last one. */
async function changesOf(
  store: Store,
  query: { from?: number; to?: number; limit?: number; cursor?: string },
  nowMs: number | null,
  about: { device?: string; vlans: readonly string[] | undefined },
): Promise<{ from: number; to: number; rows: Awaited<ReturnType<Store['changes']>>; next: string | null }> {
  const to = query.to ?? nowMs ?? Date.now();
  const from = query.from ?? Math.max(0, to - DAY_MS);
  if (from > to) throw new ProblemError(400, 'invalid-request', '`from` is after `to`.');
  const { limit = 100 } = query;
  const rows = await store.changes(from, to, limit + 1, {
    ...(about.device === undefined ? {} : { device: about.device }),
    ...(about.vlans === undefined ? {} : { vlans: about.vlans }),
    ...(query.cursor === undefined ? {} : { after: placeOf(query.cursor) }),
  });
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  const next = last === undefined ? null : Buffer.from(JSON.stringify([last.time, last.key])).toString('base64url');
  return { from, to, rows: shown, next };
}

function placeOf(cursor: string): { time: number; key: string } {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(place) && Number.isSafeInteger(place[0]) && typeof place[1] === 'string')
      return { time: place[0] as number, key: place[1] };
  } catch {
    // Said below.
  }
  throw new ProblemError(400, 'invalid-request', 'The page cursor is not valid for this list.', {
    remedy: 'Start again from the first page.',
  });
}

/** Profiles are read when the first comparison is asked for. */
function lazyProfiles(): (id: string | undefined) => ProfileSpec | undefined {
  let profiles: Map<string, ProfileSpec> | undefined;
  return (id) => {
    if (id === undefined) return undefined;
    profiles ??= new Map(loadProfiles(new Set(loadClasses().keys())).profiles.map((profile) => [profile.id, profile]));
    return profiles.get(id);
  };
}
