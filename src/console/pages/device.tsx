import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { AlertPage as AlertPageBody, Device, DeviceAsset, FlowList, WindowList } from '../../api/schemas.ts';
import type { AddressList, Changes, ChannelList, Comparison } from '../../api/schemas-inventory.ts';
import { apiPath } from '../api.ts';
import { deviceLabel, formatBytes, formatCount, formatShare, formatType, formatValue, formatWords } from '../format.ts';
import { moveRow, useKeys } from '../keys.ts';
import { Flows } from '../parts/flows.tsx';
import { Addresses, AssetFacts, ChangeList, ComparisonTable, DevicePeers, RiskParts } from '../parts/inventory.tsx';
import { Link } from '../parts/link.tsx';
import { Severity } from '../parts/severity.tsx';
import { Failure, Loading, Missing } from '../parts/states.tsx';
import type { Resource } from '../resource.ts';
import { useResource } from '../resource.ts';
import { alertPath, go } from '../router.ts';
import { time } from '../site.ts';

type ChartComponent = typeof import('../parts/chart.tsx').Chart;

const SHORT_SPAN_MS = 2 * 3600 * 1000;

/** Measures that say most about a device at a glance, where it has them. */
const FIRST_CHOICES = ['bytes_out', 'packets_out', 'bytes_in'];

function Fields({ fields }: { fields: Device['fields'] }) {
  const entries = Object.entries(fields);
  if (entries.length === 0) return <p class="muted">Nothing has told yet what this device is.</p>;
  return (
    <div class="scroll" role="region" aria-label="What it is" tabIndex={0}>
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Value</th>
            <th scope="col">Confidence</th>
            <th scope="col">Runner-up</th>
            <th scope="col">Evidence</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(([name, field]) => (
            <tr key={name}>
              <th scope="row">{formatWords(name)}</th>
              <td>
                <strong>{name === 'type' ? formatType(field.value) : field.value || 'none'}</strong>
              </td>
              <td class="nowrap">
                <meter min={0} max={1} value={field.confidence} aria-label={`Confidence of ${name}`} />{' '}
                {formatShare(field.confidence)}
              </td>
              <td>
                {field.runner_up ? (
                  <>
                    {field.runner_up.value} <span class="muted nowrap">{formatShare(field.runner_up.confidence)}</span>
                  </>
                ) : (
                  <span class="muted">none</span>
                )}
              </td>
              <td>
                {field.evidence.length > 0 ? (
                  <details>
                    <summary class="nowrap">
                      {field.evidence.length} {field.evidence.length === 1 ? 'piece' : 'pieces'}
                    </summary>
                    <ul class="evidence">
                      {field.evidence.map((piece, i) => (
                        <li key={i}>
                          <span class="mono">{piece.source}</span> {piece.value}{' '}
                          <span class="muted">
                            weight {formatValue(piece.weight)}, {time.value.full(piece.time)}
                          </span>
                        </li>
                      ))}
                    </ul>
                  </details>
                ) : (
                  <span class="muted">none</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface ActivityProps {
  windows: WindowList;
  alertTimes: number[];
  onWindow: (seconds: number) => void;
}

/** Fewer windows tell no usual range. */
const FEWEST_WINDOWS = 20;
const MOST_OUTSIDE = 50;

interface Usual {
  band: [low: number, high: number];
  outside: { at: number; value: number }[];
}

/** The middle 98 % of the windows in which there was no alert, and the windows beyond. */
function usualOf(windows: WindowList, feature: string, alertTimes: readonly number[]): Usual | undefined {
  const span = windows.window_s * 1000;
  const all = windows.rows.flatMap(({ window_start: at, features }) => {
    const value = features[feature];
    return value === undefined ? [] : [{ at, value }];
  });
  const calm = all
    .filter(({ at }) => !alertTimes.some((alert) => alert >= at - span && alert < at + 2 * span))
    .map(({ value }) => value)
    .sort((a, b) => a - b);
  if (calm.length < FEWEST_WINDOWS) return undefined;
  const low = calm[Math.floor(0.01 * (calm.length - 1))]!;
  const high = calm[Math.ceil(0.99 * (calm.length - 1))]!;
  return { band: [low, high], outside: all.filter(({ value }) => value < low || value > high) };
}

/** The chart in words. */
function Outside({ usual, windowS }: { usual: Usual; windowS: number }) {
  const { band, outside } = usual;
  return (
    <>
      <p class="muted">
        The band is where 98 % of its windows without an alert are: {formatValue(band[0])} to {formatValue(band[1])} in{' '}
        {windowS} s.
      </p>
      {outside.length > 0 && (
        <details>
          <summary>
            {formatCount(outside.length)} window{outside.length === 1 ? '' : 's'} outside
          </summary>
          <ul class="points">
            {outside.slice(-MOST_OUTSIDE).map(({ at, value }) => (
              <li key={at}>
                {time.value.full(at)} <b>{formatValue(value)}</b>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Activity({ windows, alertTimes, onWindow }: ActivityProps) {
  const names = useMemo(() => {
    const all = new Set<string>();
    for (const row of windows.rows) for (const name of Object.keys(row.features)) all.add(name);
    return [...all].sort();
  }, [windows]);
  const [chosen, setChosen] = useState<string>();
  const [chart, setChart] = useState<{ Chart: ChartComponent }>();
  // The code for charts is needed here only, so it comes when it is.
  useEffect(() => {
    void import('../parts/chart.tsx').then(({ Chart }) => setChart({ Chart }));
  }, []);
  const feature = chosen ?? FIRST_CHOICES.find((name) => names.includes(name)) ?? names[0];
  const series = useMemo(() => {
    const x: number[] = [];
    const y: (number | null)[] = [];
    const step = windows.window_s;
    for (const row of windows.rows) {
      const at = row.window_start / 1000;
      const before = x.at(-1);
      // A window without traffic is absent; the line must not run over it.
      if (before !== undefined && at - before > step * 1.5) {
        x.push(before + step);
        y.push(null);
      }
      x.push(at);
      y.push((feature === undefined ? undefined : row.features[feature]) ?? null);
    }
    return { x, y };
  }, [windows, feature]);
  const usual = useMemo(
    () => (feature === undefined ? undefined : usualOf(windows, feature, alertTimes)),
    [windows, feature, alertTimes],
  );
  const marks = useMemo(() => alertTimes.map((ms) => ms / 1000), [alertTimes]);
  if (feature === undefined) return <p class="muted">No windows of this device are kept.</p>;
  return (
    <>
      <label class="inline">
        Measure{' '}
        <select value={feature} onChange={(event) => setChosen(event.currentTarget.value)}>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>{' '}
      </label>
      <label class="inline">
        over{' '}
        <select value={windows.window_s} onChange={(event) => onWindow(Number(event.currentTarget.value))}>
          <option value={10}>10 s, four hours</option>
          <option value={60}>60 s, a day</option>
        </select>
      </label>
      {marks.length > 0 && <span class="muted">Alerts are the dashed lines.</span>}
      {chart ? (
        <chart.Chart label={feature} x={series.x} y={series.y} marks={marks} band={usual?.band} />
      ) : (
        <Loading lines={4} />
      )}
      {usual && <Outside usual={usual} windowS={windows.window_s} />}
    </>
  );
}

function Answered<T>({
  of,
  lines,
  children,
}: {
  of: Resource<T>;
  lines: number;
  children: (data: T) => ComponentChildren;
}) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  return of.error ? <Failure error={of.error} retry={of.reload} /> : <Loading lines={lines} />;
}

export function DevicePage({ deviceKey }: { deviceKey: string }) {
  const path = `/devices/${encodeURIComponent(deviceKey)}`;
  const device = useResource<Device>(apiPath(path));
  const alerts = useResource<AlertPageBody>(apiPath(`${path}/alerts`, { limit: 20 }));
  const flows = useResource<FlowList>(apiPath(`${path}/flows`, { limit: 50 }));
  const channels = useResource<ChannelList>(apiPath(`${path}/channels`));
  const comparison = useResource<Comparison>(apiPath(`${path}/comparison`));
  const addresses = useResource<AddressList>(apiPath(`${path}/addresses`));
  const asset = useResource<DeviceAsset>(apiPath(`${path}/asset`));
  const changes = useResource<Changes>(apiPath(`${path}/changes`, { limit: 50 }));
  // Short windows for what has been seen for a short time only; the reader may choose.
  const [chosenWindow, setWindow] = useState<number>();
  const span = device.data ? device.data.last_seen - device.data.first_seen : 0;
  const windowS = chosenWindow ?? (span < SHORT_SPAN_MS ? 10 : 60);
  const windows = useResource<WindowList>(
    device.data ? apiPath(`${path}/windows`, { window_s: windowS }) : undefined,
    true,
  );
  const alertTimes = useMemo(() => (alerts.data?.rows ?? []).map((row) => row.time), [alerts.data]);
  useKeys({
    j: () => moveRow(1),
    k: () => moveRow(-1),
    Escape: () => (history.length > 1 ? history.back() : go('/devices')),
  });

  if (device.error?.status === 404) return <Missing what="device" back="/devices" backText="To the devices" />;
  const row = device.data;
  if (!row) return device.error ? <Failure error={device.error} retry={device.reload} /> : <Loading lines={10} />;
  return (
    <article>
      <div class="crumbs">
        <Link to="/devices">‹ Devices</Link>
      </div>
      <header class="device-head">
        <h1>{deviceLabel({ name: row.hostname, ip: row.ip, mac: row.mac, key: row.device })}</h1>
        <p class="sentence">
          {formatType(row.type)}
          {row.vendor_name && ` · ${row.vendor_name}`}
          {row.model && ` ${row.model}`}
          {row.is_gateway && <span class="tag">gateway</span>}
          <span class="tag">{row.phase}</span>
        </p>
      </header>
      <div class="columns">
        <div>
          <section class="card" aria-labelledby="alerts-title">
            <h2 id="alerts-title">
              Alerts {alerts.data && <span class="muted">{formatCount(alerts.data.total)}</span>}
            </h2>
            <Answered of={alerts} lines={2}>
              {(page) =>
                page.rows.length === 0 ? (
                  <p class="muted">None about this device.</p>
                ) : (
                  <ul class="alert-list">
                    {page.rows.map((alert) => (
                      <li key={alert.uid}>
                        <Severity id={alert.severity_id} />
                        <Link to={alertPath(alert.uid)} row={alert.uid}>
                          {alert.title}
                        </Link>
                        <span class="muted nowrap">{time.value.full(alert.time)}</span>
                      </li>
                    ))}
                  </ul>
                )
              }
            </Answered>
          </section>
          <section class="card" aria-labelledby="activity-title">
            <h2 id="activity-title">Activity</h2>
            <Answered of={windows} lines={5}>
              {(list) => <Activity windows={list} alertTimes={alertTimes} onWindow={setWindow} />}
            </Answered>
          </section>
          <section class="card" aria-labelledby="what-title">
            <h2 id="what-title">What it is, and how sure that is</h2>
            <Fields fields={row.fields} />
          </section>
          <section class="card" aria-labelledby="compare-title">
            <h2 id="compare-title">Declared, learned, observed</h2>
            <Answered of={comparison} lines={4}>
              {(answer) => <ComparisonTable comparison={answer} />}
            </Answered>
          </section>
          <section class="card" aria-labelledby="peers-title">
            <h2 id="peers-title">Peers</h2>
            <Answered of={channels} lines={4}>
              {(list) => <DevicePeers channels={list.rows} label={row.hostname || row.ip || row.mac} />}
            </Answered>
          </section>
          <section class="card" aria-labelledby="timeline-title">
            <h2 id="timeline-title">Timeline</h2>
            <Answered of={changes} lines={3}>
              {(list) => <ChangeList rows={list.rows} withDevice={false} />}
            </Answered>
          </section>
          <section class="card card-late" aria-labelledby="flows-title">
            <h2 id="flows-title">Newest flows</h2>
            <Answered of={flows} lines={4}>
              {(list) => (list.rows.length > 0 ? <Flows rows={list.rows} /> : <p class="muted">No flows are kept.</p>)}
            </Answered>
          </section>
        </div>
        <aside>
          <section class="card card-facts" aria-labelledby="facts-title">
            <h2 id="facts-title">Facts</h2>
            <dl class="facts">
              <dt>MAC</dt>
              <dd class="mono">{row.mac || 'unknown'}</dd>
              <dt>Addresses</dt>
              <dd class="mono">
                {row.ips.length > 0 ? row.ips.map((ip) => <div key={ip}>{ip}</div>) : row.ip || 'none seen'}
              </dd>
              <dt>VLAN</dt>
              <dd>{row.vlan || 'untagged'}</dd>
              <dt>First seen</dt>
              <dd>{time.value.full(row.first_seen)}</dd>
              <dt>Last seen</dt>
              <dd>{time.value.full(row.last_seen)}</dd>
              <dt>Traffic</dt>
              <dd>
                {formatBytes(row.bytes)} in {formatCount(row.packets)} packets
              </dd>
              <dt>Key</dt>
              <dd class="mono small">{row.device}</dd>
            </dl>
            <p>
              <a href={apiPath(path)}>All of it as JSON</a>
            </p>
          </section>
          <section class="card" aria-labelledby="asset-title">
            <h2 id="asset-title">Asset</h2>
            <Answered of={asset} lines={2}>
              {(answer) => <AssetFacts asset={answer.asset} />}
            </Answered>
          </section>
          <section class="card" aria-labelledby="risk-title">
            <h2 id="risk-title">Risk</h2>
            <RiskParts device={row} />
          </section>
          <section class="card" aria-labelledby="addresses-title">
            <h2 id="addresses-title">Addresses over time</h2>
            <Answered of={addresses} lines={2}>
              {(list) => <Addresses rows={list.rows} />}
            </Answered>
          </section>
        </aside>
      </div>
    </article>
  );
}
