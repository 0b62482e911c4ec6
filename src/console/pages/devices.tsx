import type { Ref } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AssetBody, DevicePage as DevicePageBody, DeviceSummary } from '../../api/schemas.ts';
import type { Facets } from '../../api/schemas-inventory.ts';
import { apiPath } from '../api.ts';
import { deviceLabel, formatBytes, formatCount, formatType, formatWords } from '../format.ts';
import { moveRow, useKeys } from '../keys.ts';
import { onDevice, overview, status } from '../live.ts';
import { Risk } from '../parts/inventory.tsx';
import { Link } from '../parts/link.tsx';
import { Pager } from '../parts/pager.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { devicePath, go, route, withQuery } from '../router.ts';
import { time } from '../site.ts';

const PAGE_ROWS = 100;
const TYPING_MS = 250;
const FACET_NAMES: Record<string, string> = { vendor_name: 'vendor', os: 'os', vlan: 'vlan' };
const SORTS: [value: string, label: string][] = [
  ['', 'Unknown first'],
  ['risk', 'Risk'],
  ['last_seen', 'Last seen'],
  ['confidence', 'Least sure'],
  ['first_seen', 'First seen'],
  ['hostname', 'Name'],
  ['type', 'Type'],
  ['ip', 'Address'],
];

function DeviceLine({ device, asset }: { device: DeviceSummary; asset: AssetBody | undefined }) {
  const label = deviceLabel({ name: device.hostname, ip: device.ip, mac: device.mac, key: device.device });
  return (
    <tr>
      <td class="cell-title">
        <div class="named">
          <Link to={devicePath(device.device)} row={device.device} class="row-link clamp">
            {label}
          </Link>
          {device.is_gateway && <span class="tag">gateway</span>}
          {device.phase === 'learning' && <span class="tag">learning</span>}
          {asset?.criticality && <span class="tag">{asset.criticality}</span>}
        </div>
        {asset && (
          <div class="muted small">
            asset {asset.tag}
            {asset.room && `, ${asset.room}`}
          </div>
        )}
      </td>
      <td>
        <Risk score={device.risk_score} level={device.risk_level} />
      </td>
      <td>{formatType(device.type)}</td>
      <td>
        {device.vendor_name || <span class="muted">unknown</span>}
        {device.model && <div class="muted">{device.model}</div>}
      </td>
      <td class="mono">
        {device.ip || <span class="muted">none</span>}
        {device.ips.length > 1 && (
          <span class="muted" title={device.ips.join('\n')}>
            {' '}
            +{device.ips.length - 1}
          </span>
        )}
      </td>
      <td class="mono cell-mac">{device.mac}</td>
      <td class="cell-vlan">{device.vlan}</td>
      <td class="nowrap cell-time">{time.value.full(device.last_seen)}</td>
      <td class="number cell-bytes">{formatBytes(device.bytes)}</td>
    </tr>
  );
}

/** A field that changes the address of the page a moment after the reader stops typing. */
function TypedFilter({
  name,
  label,
  value,
  field,
}: {
  name: string;
  label: string;
  value: string;
  field?: Ref<HTMLInputElement>;
}) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => go(withQuery({ [name]: text }), true), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="grow">
      <span class="visually-hidden">{label}</span>
      <input
        ref={field ?? null}
        type="search"
        placeholder={label}
        maxLength={200}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </label>
  );
}

export function DevicesPage() {
  const { query } = route.value;
  const filter = {
    type: query.get('type') ?? '',
    vendor: query.get('vendor') ?? '',
    text: query.get('text') ?? '',
    vlan: query.get('vlan') ?? '',
    os: query.get('os') ?? '',
    risk: query.get('risk') ?? '',
    phase: query.get('phase') ?? '',
    first_seen_from: query.get('first_seen_from') ?? '',
    sort: query.get('sort') ?? '',
  };
  const filterKey = JSON.stringify(filter);
  const [pages, setPages] = useState<{ key: string; cursors: string[]; before: number }>({
    key: '',
    cursors: [],
    before: 0,
  });
  const { cursors, before } = pages.key === filterKey ? pages : { cursors: [], before: 0 };
  const [arrived, setArrived] = useState<ReadonlySet<string>>(new Set());
  const search = useRef<HTMLInputElement>(null);

  const devices = useResource<DevicePageBody>(
    apiPath('/devices', {
      type: filter.type,
      vendor: filter.vendor,
      text: filter.text,
      sort: filter.sort || 'unknown',
      vlan: filter.vlan,
      os: filter.os,
      risk: filter.risk,
      phase: filter.phase,
      first_seen_from: filter.first_seen_from,
      limit: PAGE_ROWS,
      cursor: cursors.at(-1),
    }),
    true,
  );
  const facets = useResource<Facets>(
    apiPath('/inventory/facets', {
      fields: 'vendor_name,os,vlan',
      most: 8,
      type: filter.type,
      vendor: filter.vendor,
      text: filter.text,
      vlan: filter.vlan,
      os: filter.os,
      risk: filter.risk,
      phase: filter.phase,
      first_seen_from: filter.first_seen_from,
    }),
    true,
  );
  const page = devices.data;

  useEffect(
    () =>
      onDevice(({ change, device }) => {
        devices.patch((data) => ({
          ...data,
          rows: data.rows.map((row) => (row.device === device.device ? device : row)),
        }));
        if (change === 'created') setArrived((seen) => new Set(seen).add(device.device));
      }),
    [],
  );

  function showArrived(): void {
    setArrived(new Set());
    setPages({ key: filterKey, cursors: [], before: 0 });
    devices.reload();
  }
  useKeys({
    j: () => moveRow(1),
    k: () => moveRow(-1),
    n: showArrived,
    '/': () => search.current?.focus(),
    Escape: () => go('/'),
  });

  const types = Object.entries(overview.value?.devices_by_type ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const filtered = Object.entries(filter).some(([name, value]) => name !== 'sort' && value !== '');
  return (
    <>
      <div class="heading">
        <h1>Devices</h1>
        <div class="arrivals" aria-live="polite">
          {arrived.size > 0 && (
            <button type="button" class="primary" onClick={showArrived}>
              {arrived.size} new
            </button>
          )}
        </div>
      </div>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <TypedFilter
          name="text"
          label="Search name, address, vendor, model  ( / )"
          value={filter.text}
          field={search}
        />
        <label>
          <span class="visually-hidden">Type</span>
          <select
            name="type"
            value={filter.type}
            onChange={(event) => go(withQuery({ type: event.currentTarget.value }))}
          >
            <option value="">All types</option>
            {types.map(([type, count]) => (
              <option key={type} value={type}>
                {formatWords(type)} ({formatCount(count)})
              </option>
            ))}
          </select>
        </label>
        <TypedFilter name="vendor" label="Vendor, its whole name" value={filter.vendor} />
        <label>
          <span class="visually-hidden">Order</span>
          <select value={filter.sort} onChange={(event) => go(withQuery({ sort: event.currentTarget.value }))}>
            {SORTS.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <a
          class="button"
          href={apiPath('/export/devices', {
            type: filter.type,
            vendor: filter.vendor,
            text: filter.text,
            vlan: filter.vlan,
            os: filter.os,
            risk: filter.risk,
            phase: filter.phase,
            first_seen_from: filter.first_seen_from,
            format: 'csv',
          })}
          download
        >
          CSV
        </a>
      </form>
      <div class="facets" role="group" aria-label="Narrow down">
        <label>
          Risk{' '}
          <select value={filter.risk} onChange={(event) => go(withQuery({ risk: event.currentTarget.value }))}>
            <option value="">any</option>
            <option value="2">medium and above</option>
            <option value="3">high and above</option>
            <option value="4">critical</option>
          </select>
        </label>
        {filter.phase && (
          <Link
            to={withQuery({ phase: '' })}
            class="facet-chip"
            current
            label={`Also those that are not ${filter.phase}`}
          >
            {filter.phase} ×
          </Link>
        )}
        {filter.first_seen_from && (
          <Link to={withQuery({ first_seen_from: '' })} class="facet-chip" current label="Also those that are not new">
            first seen since {time.value.full(Number(filter.first_seen_from))} ×
          </Link>
        )}
        {(facets.data?.facets ?? []).map(({ field, values }) => {
          const name = FACET_NAMES[field] ?? field;
          const chosen = query.get(name) ?? '';
          return (
            <span key={field} class="facet">
              <span class="muted">{field === 'vlan' ? 'VLAN' : formatWords(name)}</span>
              {values.map(({ value, n }) =>
                value === '' ? null : (
                  <Link
                    key={value}
                    to={withQuery({ [name]: chosen === value ? '' : value })}
                    current={chosen === value}
                    class="facet-chip"
                  >
                    {value} <span class="muted">{formatCount(n)}</span>
                  </Link>
                ),
              )}
            </span>
          );
        })}
      </div>
      {devices.error && <Failure error={devices.error} retry={devices.reload} />}
      {!page && !devices.error && <Loading lines={10} />}
      {page && page.rows.length === 0 && (
        <Empty title={filtered ? 'No device fits these filters' : 'No device seen yet'}>
          <p>
            {filtered ? (
              <Link to="/devices">Show all devices</Link>
            ) : (
              `${formatCount(status.value?.frames ?? 0)} frames read so far. Is the mirror port sending?`
            )}
          </p>
        </Empty>
      )}
      {page && page.rows.length > 0 && (
        <>
          <table class={devices.loading ? 'grid inventory stale' : 'grid inventory'} aria-busy={devices.loading}>
            <thead>
              <tr>
                <th scope="col">Device</th>
                <th scope="col">Risk</th>
                <th scope="col">Type</th>
                <th scope="col">Vendor</th>
                <th scope="col">Address</th>
                <th scope="col" class="cell-mac">
                  MAC
                </th>
                <th scope="col" class="cell-vlan">
                  VLAN
                </th>
                <th scope="col" class="cell-time">
                  Last seen <span class="muted">{time.value.zone}</span>
                </th>
                <th scope="col" class="number cell-bytes">
                  Traffic
                </th>
              </tr>
            </thead>
            <tbody>
              {page.rows.map((device) => (
                <DeviceLine key={device.device} device={device} asset={page.assets[device.device]} />
              ))}
            </tbody>
          </table>
          <Pager
            before={before}
            shown={page.rows.length}
            total={page.total}
            hasNext={page.next !== null}
            onBack={() =>
              setPages({ key: filterKey, cursors: cursors.slice(0, -1), before: Math.max(0, before - PAGE_ROWS) })
            }
            onNext={() => {
              if (page.next === null) return;
              setPages({ key: filterKey, cursors: [...cursors, page.next], before: before + page.rows.length });
              scrollTo(0, 0);
            }}
          />
        </>
      )}
    </>
  );
}
