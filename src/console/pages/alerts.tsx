import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { AlertPage as AlertPageBody, AlertSummary } from '../../api/schemas.ts';
import { apiPath } from '../api.ts';
import { deviceLabel, formatCount, formatType, severityName } from '../format.ts';
import { moveRow, useKeys } from '../keys.ts';
import { onAlert, overview, status } from '../live.ts';
import { Link } from '../parts/link.tsx';
import { Pager } from '../parts/pager.tsx';
import { Severity, SeverityShape } from '../parts/severity.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { changePlace, placeAt } from '../queue.ts';
import { useResource } from '../resource.ts';
import { alertPath, devicePath, go, route, withQuery } from '../router.ts';
import { time } from '../site.ts';

const PAGE_ROWS = 50;
const TYPING_MS = 250;
const SPANS: [seconds: string, label: string][] = [
  ['', 'Any time'],
  ['3600', 'Last hour'],
  ['86400', 'Last day'],
  ['604800', 'Last 7 days'],
];

interface Filter {
  severity: string;
  detector: string;
  text: string;
  last: string;
  sort: string;
}

function filterOf(query: URLSearchParams): Filter {
  const value = (name: string): string => query.get(name) ?? '';
  return {
    severity: value('severity'),
    detector: value('detector'),
    text: value('text'),
    last: value('last'),
    sort: value('sort'),
  };
}

/** Whether an arrival belongs into the list on screen; the server decides when it is shown. */
function matches(alert: AlertSummary, filter: Filter): boolean {
  if (alert.severity_id < Number(filter.severity || 1)) return false;
  if (filter.detector && alert.detector !== filter.detector) return false;
  const text = [alert.title, alert.message, alert.device_name, alert.device_ip, alert.device_mac, alert.device_type]
    .join(' ')
    .toLowerCase();
  return filter.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function SeverityFilter({ chosen }: { chosen: string }) {
  const counts = overview.value?.alerts_by_severity ?? {};
  const options = ['', '5', '4', '3', '2'];
  return (
    <div class="chips" role="group" aria-label="Severity">
      {options.map((option) => (
        <button
          type="button"
          key={option}
          aria-pressed={chosen === option}
          class={option ? `chip severity-${severityName(Number(option))}` : 'chip'}
          title={option && option !== '5' ? `${severityName(Number(option))} and above` : undefined}
          onClick={() => go(withQuery({ severity: option }))}
        >
          {option ? (
            <>
              <SeverityShape id={Number(option)} />
              <span>
                {severityName(Number(option))}
                {option !== '5' && <span aria-hidden="true">+</span>}
              </span>
              <b>{formatCount(sumFrom(counts, Number(option)))}</b>
            </>
          ) : (
            <>
              all <b>{formatCount(sumFrom(counts, 1))}</b>
            </>
          )}
        </button>
      ))}
    </div>
  );
}

function sumFrom(counts: Record<string, number>, severity: number): number {
  let sum = 0;
  for (let id = severity; id <= 5; id++) sum += counts[String(id)] ?? 0;
  return sum;
}

function AlertLine({ alert }: { alert: AlertSummary }) {
  const label = deviceLabel({ name: alert.device_name, ip: alert.device_ip, mac: alert.device_mac, key: alert.device });
  return (
    <tr class={`alert-row row-${severityName(alert.severity_id)}`}>
      <td class="cell-severity">
        <Severity id={alert.severity_id} />
      </td>
      <td class="nowrap cell-time">
        <time dateTime={new Date(alert.time).toISOString()}>
          {time.value.clock(alert.time)} <span class="muted day">{time.value.day(alert.time)}</span>
        </time>
      </td>
      <td class="cell-title">
        <Link to={alertPath(alert.uid)} row={alert.uid} class="row-link">
          {alert.title}
        </Link>
        <div class="muted clip">{alert.message}</div>
      </td>
      <td class="cell-device">
        <Link to={devicePath(alert.device)} class="above clamp">
          {label}
        </Link>
        <div class="muted">{formatType(alert.device_type)}</div>
      </td>
      <td class="cell-detector">
        {alert.detector}
        {alert.detectors.length > 1 && (
          <span class="muted" title={alert.detectors.slice(1).join(', ')}>
            {' '}
            +{alert.detectors.length - 1}
          </span>
        )}
      </td>
      <td class="mono cell-attack">
        {alert.attacks.slice(0, 2).join(' ')}
        {alert.attacks.length > 2 && <span class="muted"> +{alert.attacks.length - 2}</span>}
      </td>
    </tr>
  );
}

function NoAlerts({ filtered }: { filtered: boolean }) {
  const now = status.value;
  if (filtered) {
    return (
      <Empty title="No alert fits these filters">
        <p>
          <Link to="/">Show all alerts</Link>
        </p>
      </Empty>
    );
  }
  if (now?.state === 'learning') {
    return (
      <Empty title="No alerts while learning">
        <p>
          Wardwatch is learning what is normal here ({Math.floor(now.learning * 100)} %). Until then it judges by
          declared profiles, peers and known-bad behaviour only.
        </p>
      </Empty>
    );
  }
  // A quiet queue is good news only where something watches.
  if (now && (now.state === 'failed' || !now.detectors.some((one) => one.status === 'on'))) {
    return (
      <Empty title="No alerts, and nothing that could raise one">
        <p>
          {now.state === 'failed' ? 'Watching has stopped.' : 'No detector is on.'} This says nothing about the network.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No alerts">
      <p>
        {now && now.frames > 0
          ? `${formatCount(now.frames)} frames of ${formatCount(now.devices)} devices looked at. Nothing that needs a person.`
          : 'No frame has arrived yet, so this says nothing about the network.'}
      </p>
    </Empty>
  );
}

export function AlertsPage() {
  const filter = filterOf(route.value.query);
  const filterKey = JSON.stringify(filter);
  const [arrived, setArrived] = useState<ReadonlySet<string>>(new Set());
  const [text, setText] = useState(filter.text);
  const search = useRef<HTMLInputElement>(null);
  const path = `${location.pathname}${location.search}`;

  const { cursors, before } = placeAt(path);

  // Counted from event time as it was when the filter was chosen, so that the list stays what it is.
  const from = useMemo(() => {
    const now = status.value?.event_time ?? Date.now();
    return filter.last ? Math.max(0, now - Number(filter.last) * 1000) : undefined;
  }, [filterKey, status.value === undefined]);

  const alerts = useResource<AlertPageBody>(
    apiPath('/alerts', {
      severity: filter.severity,
      detector: filter.detector,
      text: filter.text,
      sort: filter.sort || 'time',
      from,
      limit: PAGE_ROWS,
      cursor: cursors.at(-1),
    }),
    true,
  );
  const page = alerts.data;

  useEffect(() => setArrived(new Set()), [filterKey]);
  useEffect(() => setText(filter.text), [filter.text]);

  useEffect(
    () =>
      onAlert(({ change, alert }) => {
        alerts.patch((data) => ({ ...data, rows: data.rows.map((row) => (row.uid === alert.uid ? alert : row)) }));
        if (change === 'created' && matches(alert, filter)) setArrived((before) => new Set(before).add(alert.uid));
      }),
    [filterKey],
  );

  useEffect(() => {
    if (text === filter.text) return;
    const timer = setTimeout(() => go(withQuery({ text }), true), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);

  useEffect(() => {
    if (!page) return;
    const { focus } = placeAt(path);
    changePlace(path, { uids: page.rows.map((row) => row.uid), focus: undefined });
    if (focus) document.querySelector<HTMLElement>(`[data-row="${CSS.escape(focus)}"]`)?.focus();
  }, [page]);

  function showArrived(): void {
    setArrived(new Set());
    changePlace(path, { cursors: [], before: 0 });
    alerts.reload();
    scrollTo(0, 0);
  }

  useKeys({
    j: () => moveRow(1),
    k: () => moveRow(-1),
    n: showArrived,
    '/': () => search.current?.focus(),
    Escape: () => {
      if (filter.text) go(withQuery({ text: undefined }), true);
    },
  });

  const detectors = (status.value?.detectors ?? []).map((one) => one.id).sort();
  if (filter.detector && !detectors.includes(filter.detector)) detectors.unshift(filter.detector);
  const { sort: _sort, ...narrowing } = filter;
  const filtered = Object.values(narrowing).some(Boolean);

  return (
    <>
      <div class="heading">
        <h1>Alerts</h1>
        <SeverityFilter chosen={filter.severity} />
        <div class="arrivals" aria-live="polite">
          {arrived.size > 0 && (
            <button type="button" class="primary" onClick={showArrived}>
              {arrived.size} new
            </button>
          )}
        </div>
      </div>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label class="grow">
          <span class="visually-hidden">Search alerts</span>
          <input
            ref={search}
            type="search"
            placeholder="Search title, device, address, type  ( / )"
            maxLength={200}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <label>
          <span class="visually-hidden">Detector</span>
          <select value={filter.detector} onChange={(event) => go(withQuery({ detector: event.currentTarget.value }))}>
            <option value="">All detectors</option>
            {detectors.map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="visually-hidden">Time</span>
          <select value={filter.last} onChange={(event) => go(withQuery({ last: event.currentTarget.value }))}>
            {SPANS.map(([seconds, label]) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="visually-hidden">Order</span>
          <select value={filter.sort} onChange={(event) => go(withQuery({ sort: event.currentTarget.value }))}>
            <option value="">Newest first</option>
            <option value="severity">Worst first</option>
          </select>
        </label>
        <a
          class="button"
          href={apiPath('/export/alerts', {
            severity: filter.severity,
            detector: filter.detector,
            text: filter.text,
            sort: filter.sort,
            from,
            format: 'csv',
          })}
          download
        >
          CSV
        </a>
      </form>
      {alerts.error && <Failure error={alerts.error} retry={alerts.reload} />}
      {!page && !alerts.error && <Loading lines={8} />}
      {page && page.rows.length === 0 && <NoAlerts filtered={filtered} />}
      {page && page.rows.length > 0 && (
        <>
          <table class={alerts.loading ? 'grid queue stale' : 'grid queue'} aria-busy={alerts.loading}>
            <thead>
              <tr>
                <th scope="col">Severity</th>
                <th scope="col">
                  Time <span class="muted">{time.value.zone}</span>
                </th>
                <th scope="col">What happened</th>
                <th scope="col">Device</th>
                <th scope="col">Detector</th>
                <th scope="col">ATT&CK</th>
              </tr>
            </thead>
            <tbody>
              {page.rows.map((alert) => (
                <AlertLine key={alert.uid} alert={alert} />
              ))}
            </tbody>
          </table>
          <Pager
            before={before}
            shown={page.rows.length}
            total={page.total}
            hasNext={page.next !== null}
            onBack={() => changePlace(path, { cursors: cursors.slice(0, -1), before: Math.max(0, before - PAGE_ROWS) })}
            onNext={() => {
              if (page.next === null) return;
              changePlace(path, { cursors: [...cursors, page.next], before: before + page.rows.length });
              scrollTo(0, 0);
            }}
          />
        </>
      )}
    </>
  );
}
