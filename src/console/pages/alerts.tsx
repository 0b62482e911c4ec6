import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { AlertSummary } from '../../api/schemas.ts';
import type { QueueCounts, QueuePage, QueueRow, TriageDetails, ViewList } from '../../api/schemas-triage.ts';
import { apiPath, getJson } from '../api.ts';
import { deviceLabel, formatCount, formatType, severityName } from '../format.ts';
import { moveRow, useKeys } from '../keys.ts';
import { onAlert, onTriage, status } from '../live.ts';
import { ActDialog } from '../parts/act-dialog.tsx';
import type { Act } from '../parts/act-dialog.tsx';
import { BulkDialog } from '../parts/bulk-dialog.tsx';
import type { BulkAct } from '../parts/bulk-dialog.tsx';
import { Link } from '../parts/link.tsx';
import { Pager } from '../parts/pager.tsx';
import { Severity, SeverityShape } from '../parts/severity.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { TriageState } from '../parts/triage-state.tsx';
import { changePlace, placeAt } from '../queue.ts';
import { useResource } from '../resource.ts';
import { alertPath, devicePath, go, route, withQuery } from '../router.ts';
import { send } from '../send.ts';
import { time } from '../site.ts';
import { changedHere, editAndTell, ME, tell, tellFailure, triagePath } from '../triage.ts';

const PAGE_ROWS = 50;
const TYPING_MS = 250;
const SPANS: [seconds: string, label: string][] = [
  ['', 'Any time'],
  ['3600', 'Last hour'],
  ['86400', 'Last day'],
  ['604800', 'Last 7 days'],
];

const STATES: [string, string][] = [
  ['', 'Open'],
  ['new', 'New'],
  ['in_progress', 'In progress'],
  ['resolved', 'Resolved'],
  ['all', 'All states'],
];
const ASSIGNEES: [string, string][] = [
  ['', 'Anyone'],
  [ME, 'Mine'],
  ['-', 'Nobody’s'],
];
const BULK_ACTS: [BulkAct, string][] = [
  ['assign', 'Assign…'],
  ['close', 'Close…'],
  ['learn', 'Learn…'],
  ['mute', 'Mute…'],
];
const MUTED: [string, string][] = [
  ['', 'Without muted'],
  ['only', 'Muted only'],
  ['with', 'With muted'],
];

interface Filter {
  state: string;
  assignee: string;
  muted: string;
  tag: string;
  severity: string;
  detector: string;
  text: string;
  last: string;
  /** Epoch milliseconds, from a chart. */
  from: string;
  to: string;
  sort: string;
}

function filterOf(query: URLSearchParams): Filter {
  const value = (name: string): string => query.get(name) ?? '';
  return {
    state: value('state'),
    assignee: value('assignee'),
    muted: value('muted'),
    tag: value('tag'),
    severity: value('severity'),
    detector: value('detector'),
    text: value('text'),
    last: value('last'),
    from: /^\d{1,15}$/.test(value('from')) ? value('from') : '',
    to: /^\d{1,15}$/.test(value('to')) ? value('to') : '',
    sort: value('sort'),
  };
}

/** Whether an arrival belongs into the list on screen; the server decides when it is shown. */
function matches(alert: AlertSummary, filter: Filter): boolean {
  if (alert.severity_id < Number(filter.severity || 1)) return false;
  // What has just come is new and nobody's.
  if (!['', 'new', 'all'].includes(filter.state) || !['', '-'].includes(filter.assignee) || filter.tag) return false;
  if (filter.detector && alert.detector !== filter.detector) return false;
  const text = [alert.title, alert.message, alert.device_name, alert.device_ip, alert.device_mac, alert.device_type]
    .join(' ')
    .toLowerCase();
  return filter.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function SeverityFilter({ chosen, counts }: { chosen: string; counts: Record<string, number> }) {
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

function Choose({
  label,
  name,
  chosen,
  options,
}: {
  label: string;
  name: string;
  chosen: string;
  options: readonly [string, string][];
}) {
  return (
    <label>
      <span class="visually-hidden">{label}</span>
      <select value={chosen} onChange={(event) => go(withQuery({ [name]: event.currentTarget.value }))}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Saved filters: choosing one goes to it, saving keeps the present one. */
function ViewBar() {
  const views = useResource<ViewList>(apiPath('/views'), true);
  const [name, setName] = useState<string | undefined>();
  const [shared, setShared] = useState(false);
  const rows = views.data?.rows ?? [];
  const query = route.value.query.toString();
  const chosen = rows.find((view) => view.query === query);

  async function save(): Promise<void> {
    try {
      await send('POST', apiPath('/views'), { name, query, shared });
      setName(undefined);
      views.reload();
    } catch (error) {
      tellFailure(error);
    }
  }
  return (
    <div class="views">
      {rows.length > 0 && (
        <label>
          <span class="visually-hidden">Saved views</span>
          <select
            value={chosen === undefined ? '' : String(chosen.id)}
            onChange={(event) => {
              const view = rows.find((one) => String(one.id) === event.currentTarget.value);
              go(view?.query ? `/alerts?${view.query}` : '/alerts');
            }}
          >
            <option value="">Views</option>
            {rows.map((view) => (
              <option key={view.id} value={String(view.id)}>
                {view.own ? view.name : `${view.name} (${view.owner})`}
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen?.own && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            send('DELETE', apiPath(`/views/${chosen.id}`)).then(views.reload, tellFailure);
          }}
        >
          Remove view
        </button>
      )}
      {name === undefined && chosen === undefined && query !== '' && (
        <button type="button" class="quiet" onClick={() => setName('')}>
          Save view
        </button>
      )}
      {name !== undefined && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (name.trim() !== '') void save();
          }}
        >
          <input
            aria-label="Name of the view"
            placeholder="Name"
            maxLength={64}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <label>
            <input type="checkbox" checked={shared} onChange={(event) => setShared(event.currentTarget.checked)} /> for
            all
          </label>
          <button type="submit">Save</button>
          <button type="button" class="quiet" onClick={() => setName(undefined)}>
            Cancel
          </button>
        </form>
      )}
    </div>
  );
}

function AlertLine({ alert, selected, select }: { alert: QueueRow; selected: boolean; select: () => void }) {
  const label = deviceLabel({ name: alert.device_name, ip: alert.device_ip, mac: alert.device_mac, key: alert.device });
  return (
    <tr class={`alert-row row-${severityName(alert.triage.severity)}${selected ? ' row-selected' : ''}`}>
      <td class="cell-severity">
        <input
          type="checkbox"
          class="above"
          aria-label={`Select ${alert.title}`}
          checked={selected}
          onChange={select}
        />
        <Severity id={alert.triage.severity} />
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
        {(alert.triage.state !== 'new' || alert.triage.revision > 0) && <TriageState triage={alert.triage} />}
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
          <Link to="/alerts">Show all alerts</Link>
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
    if (filter.last) return Math.max(0, now - Number(filter.last) * 1000);
    return filter.from === '' ? undefined : Number(filter.from);
  }, [filterKey, status.value === undefined]);

  const wanted = {
    state: filter.state,
    assignee: filter.assignee,
    muted: filter.muted,
    tag: filter.tag,
    severity: filter.severity,
    contributed: filter.detector,
    text: filter.text,
    from_ms: from,
    to_ms: filter.to === '' ? undefined : Number(filter.to),
  };
  const alerts = useResource<QueuePage>(
    apiPath('/queue', { ...wanted, sort: filter.sort || 'severity', limit: PAGE_ROWS, cursor: cursors.at(-1) }),
    true,
  );
  const counts = useResource<QueueCounts>(apiPath('/queue/counts'), true);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [acting, setActing] = useState<{ act: Act; row: QueueRow } | undefined>();
  const [changedMany, setChangedMany] = useState(false);
  const [bulk, setBulk] = useState<BulkAct | undefined>();
  /** Not the marked rows alone: all that the filter finds. */
  const [wholeFilter, setWholeFilter] = useState(false);
  const page = alerts.data;

  useEffect(() => {
    setArrived(new Set());
    setSelected(new Set());
  }, [filterKey]);
  useEffect(() => {
    if (selected.size === 0) setWholeFilter(false);
  }, [selected]);
  useEffect(() => {
    if (changedHere.value > 0) {
      alerts.reload();
      counts.reload();
    }
  }, [changedHere.value]);
  // What others change is shown in its row; rows do not jump.
  useEffect(
    () =>
      onTriage(({ uids }) => {
        counts.reload();
        const shown = uids.filter((uid) => placeAt(path).uids.includes(uid));
        if (uids.length === 0 || shown.length > 10) setChangedMany(true);
        else
          for (const uid of shown)
            getJson<TriageDetails>(triagePath(uid), AbortSignal.timeout(10_000)).then(
              ({ triage }) =>
                alerts.patch((data) => ({
                  ...data,
                  rows: data.rows.map((row) => (row.uid === uid ? { ...row, triage } : row)),
                })),
              () => undefined,
            );
      }),
    [path],
  );
  useEffect(() => setText(filter.text), [filter.text]);

  useEffect(
    () =>
      onAlert(({ change, alert }) => {
        alerts.patch((data) => ({
          ...data,
          rows: data.rows.map((row) => (row.uid === alert.uid ? { ...row, ...alert } : row)),
        }));
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

  const rows = page?.rows ?? [];
  /** The row that the focus is on. */
  const current = (): QueueRow | undefined => {
    const focused = document.activeElement?.closest('tr')?.querySelector<HTMLElement>('[data-row]')?.dataset['row'];
    return rows.find((row) => row.uid === focused);
  };
  const onCurrent = (work: (row: QueueRow) => void) => (): void => {
    const row = current();
    if (row !== undefined) work(row);
    else tell('No alert has the focus: go to one with j or k first.');
  };
  function select(uid: string): void {
    setSelected((before) => {
      const after = new Set(before);
      if (!after.delete(uid)) after.add(uid);
      return after;
    });
  }
  function take(row: QueueRow): void {
    editAndTell(row.triage, { state: 'in_progress', assignee: ME }, 'Taken: in progress, assigned to you.').catch(
      tellFailure,
    );
  }
  async function takeSelected(): Promise<void> {
    for (const row of rows.filter((one) => selected.has(one.uid))) {
      try {
        await editAndTell(row.triage, { state: 'in_progress', assignee: ME }, 'Taken.');
      } catch (error) {
        tellFailure(error);
        break;
      }
    }
    setSelected(new Set());
  }
  const all = Object.fromEntries(
    Object.entries(wanted)
      .filter(([, value]) => value !== '' && value !== undefined)
      .map(([name, value]) => [name, name === 'severity' ? Number(value) : value]),
  );

  function showArrived(): void {
    setArrived(new Set());
    setChangedMany(false);
    counts.reload();
    changePlace(path, { cursors: [], before: 0 });
    alerts.reload();
    scrollTo(0, 0);
  }

  useKeys({
    j: () => moveRow(1),
    k: () => moveRow(-1),
    n: showArrived,
    x: onCurrent((row) => select(row.uid)),
    a: onCurrent(take),
    e: onCurrent((row) => location.assign(apiPath(`/alerts/${encodeURIComponent(row.uid)}/evidence`))),
    l: onCurrent((row) => setActing({ act: 'learn', row })),
    m: onCurrent((row) => setActing({ act: 'mute', row })),
    c: onCurrent((row) => setActing({ act: 'close', row })),
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
        <SeverityFilter chosen={filter.severity} counts={counts.data?.by_severity ?? {}} />
        <div class="arrivals" aria-live="polite">
          {arrived.size > 0 && (
            <button type="button" class="primary" onClick={showArrived}>
              {arrived.size} new
            </button>
          )}
          {changedMany && arrived.size === 0 && (
            <button type="button" onClick={showArrived}>
              Many have changed: show
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
        <Choose label="State" name="state" chosen={filter.state} options={STATES} />
        <Choose label="Assignee" name="assignee" chosen={filter.assignee} options={ASSIGNEES} />
        <Choose label="Muted alerts" name="muted" chosen={filter.muted} options={MUTED} />
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
            <option value="">Worst first</option>
            <option value="time">Newest first</option>
          </select>
        </label>
        {(filter.from || filter.to) && (
          <button
            type="button"
            class="chip"
            aria-label="Any time again"
            onClick={() => go(withQuery({ from: undefined, to: undefined }))}
          >
            {time.value.full(Number(filter.from))} to {filter.to ? time.value.full(Number(filter.to)) : 'now'} ×
          </button>
        )}
        <a
          class="button"
          href={apiPath('/export/alerts', {
            severity: filter.severity,
            detector: filter.detector,
            text: filter.text,
            sort: filter.sort,
            from,
            to: wanted.to_ms,
            format: 'csv',
          })}
          download
        >
          CSV
        </a>
      </form>
      <ViewBar />
      {alerts.error && <Failure error={alerts.error} retry={alerts.reload} />}
      {!page && !alerts.error && <Loading lines={8} />}
      {page && page.rows.length === 0 && <NoAlerts filtered={filtered} />}
      {page && page.rows.length > 0 && (
        <>
          {selected.size > 0 && (
            <div class="selection" role="region" aria-label="Selected alerts">
              <b>{wholeFilter ? `All ${formatCount(page.total)} selected` : `${selected.size} selected`}</b>
              {!wholeFilter && (
                <button type="button" onClick={() => void takeSelected()}>
                  Take
                </button>
              )}
              {BULK_ACTS.map(([act, name]) => (
                <button type="button" key={act} onClick={() => setBulk(act)}>
                  {name}
                </button>
              ))}
              <button type="button" class="quiet" onClick={() => setSelected(new Set())}>
                Select none
              </button>
              {page.exact && page.total > selected.size && (
                <label>
                  <input
                    type="checkbox"
                    checked={wholeFilter}
                    onChange={(event) => setWholeFilter(event.currentTarget.checked)}
                  />{' '}
                  all {formatCount(page.total)} that the filters find
                </label>
              )}
            </div>
          )}
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
                <AlertLine
                  key={alert.uid}
                  alert={alert}
                  selected={selected.has(alert.uid)}
                  select={() => select(alert.uid)}
                />
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
      {bulk && page && (
        <BulkDialog
          act={bulk}
          target={
            wholeFilter
              ? { kind: 'filter', filter: all, total: page.total }
              : { kind: 'selection', rows: rows.filter((row) => selected.has(row.uid)) }
          }
          close={() => setBulk(undefined)}
          done={() => setSelected(new Set())}
        />
      )}
      {acting && (
        <ActDialog
          act={acting.act}
          target={{ ...acting.row, triage: acting.row.triage }}
          close={() => setActing(undefined)}
        />
      )}
    </>
  );
}
