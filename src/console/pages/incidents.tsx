import { useEffect, useState } from 'preact/hooks';
import type { IncidentDetails, IncidentList } from '../../api/schemas-triage.ts';
import { apiPath } from '../api.ts';
import { formatCount } from '../format.ts';
import { moveRow, useKeys } from '../keys.ts';
import { onTriage } from '../live.ts';
import { Link } from '../parts/link.tsx';
import { Severity } from '../parts/severity.tsx';
import { Empty, Failure, Loading, Missing } from '../parts/states.tsx';
import { TriageState } from '../parts/triage-state.tsx';
import { useResource } from '../resource.ts';
import { alertPath, devicePath, go, incidentPath } from '../router.ts';
import { send } from '../send.ts';
import { time } from '../site.ts';
import { tell, tellFailure } from '../triage.ts';

export function IncidentsPage() {
  const list = useResource<IncidentList>(apiPath('/incidents'), true);
  useKeys({ j: () => moveRow(1), k: () => moveRow(-1) });
  useEffect(() => onTriage(() => list.reload()), []);
  return (
    <>
      <div class="heading">
        <h1>Incidents</h1>
      </div>
      {list.error && <Failure error={list.error} retry={list.reload} />}
      {!list.data && !list.error && <Loading lines={6} />}
      {list.data?.rows.length === 0 && (
        <Empty title="No incidents">
          <p>Alerts become an incident when one source acts repeatedly, or a victim begins to act.</p>
        </Empty>
      )}
      {list.data !== undefined && list.data.rows.length > 0 && (
        <div class="scroll" role="region" aria-label="Incidents" tabIndex={0}>
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">Severity</th>
                <th scope="col">Incident</th>
                <th scope="col" class="number">
                  Alerts
                </th>
                <th scope="col" class="number">
                  Open
                </th>
                <th scope="col">First</th>
                <th scope="col">Last</th>
                <th scope="col">ATT&CK</th>
              </tr>
            </thead>
            <tbody>
              {list.data.rows.map((one) => (
                <tr key={one.id}>
                  <td>
                    <Severity id={one.severity} />
                  </td>
                  <td>
                    <Link to={incidentPath(one.id)} row={String(one.id)}>
                      {one.id}: {one.title}
                    </Link>
                  </td>
                  <td class="number">{formatCount(one.alerts)}</td>
                  <td class="number">{formatCount(one.open)}</td>
                  <td class="nowrap">{time.value.full(one.first)}</td>
                  <td class="nowrap">{time.value.full(one.last)}</td>
                  <td class="mono">{one.attacks.slice(0, 4).join(' ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

export function IncidentPage({ id }: { id: number }) {
  const incident = useResource<IncidentDetails>(apiPath(`/incidents/${id}`), true);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [into, setInto] = useState('');
  useKeys({ j: () => moveRow(1), k: () => moveRow(-1), Escape: () => go('/incidents') });
  useEffect(() => onTriage(() => incident.reload()), [id]);
  if (incident.error?.status === 404) return <Missing what="incident" back="/incidents" backText="To the incidents" />;
  if (incident.error) return <Failure error={incident.error} retry={incident.reload} />;
  if (!incident.data) return <Loading lines={8} />;
  const data = incident.data;

  async function act(path: string, body: object, text: string): Promise<void> {
    try {
      await send('POST', apiPath(`/incidents/${data.id}/${path}`), body);
      tell(text);
      setChosen(new Set());
      if (path === 'merge') go(incidentPath(Number(into)), true);
      else incident.reload();
    } catch (error) {
      tellFailure(error);
    }
  }
  return (
    <article>
      <div class="crumbs">
        <Link to="/incidents">‹ Incidents</Link>
      </div>
      <header class="alert-head">
        <Severity id={data.severity} />
        <h1 tabIndex={-1}>
          Incident {data.id}: {data.title}
        </h1>
        <p class="muted">
          {time.value.full(data.first)} to {time.value.full(data.last)} {time.value.zone} · {formatCount(data.open)} of{' '}
          {formatCount(data.alerts)} open
        </p>
        <p class="triage-actions">
          <a class="button" href={apiPath(`/incidents/${data.id}/report`)} target="_blank" rel="noopener">
            Report
          </a>
          <a class="button" href={apiPath(`/incidents/${data.id}/stix`)} download>
            STIX 2.1
          </a>
          <a class="button" href={apiPath(`/incidents/${data.id}/misp`)} download>
            MISP
          </a>
        </p>
      </header>
      <div class="columns">
        <section class="card" aria-labelledby="members-title">
          <h2 id="members-title">What happened, in order</h2>
          <ol class="members">
            {data.rows.map((row) => (
              <li key={row.uid}>
                <input
                  type="checkbox"
                  aria-label={`Choose ${row.title}`}
                  checked={chosen.has(row.uid)}
                  onChange={() =>
                    setChosen((before) => {
                      const after = new Set(before);
                      if (!after.delete(row.uid)) after.add(row.uid);
                      return after;
                    })
                  }
                />
                <div>
                  <time dateTime={new Date(row.time).toISOString()}>{time.value.full(row.time)}</time>{' '}
                  <Severity id={row.severity_id} />{' '}
                  <Link to={alertPath(row.uid)} row={row.uid}>
                    {row.title}
                  </Link>
                  <div class="muted">{row.message}</div>
                  <TriageState triage={row.triage} />
                </div>
              </li>
            ))}
          </ol>
          <div class="triage-actions">
            <button
              type="button"
              disabled={chosen.size === 0 || chosen.size === data.rows.length}
              onClick={() =>
                void act('split', { uids: [...chosen], into: 'new' }, 'Split off as an incident of its own.')
              }
            >
              Split chosen off
            </button>
            <button
              type="button"
              disabled={chosen.size === 0}
              onClick={() => void act('split', { uids: [...chosen], into: 'none' }, 'Taken out of the incident.')}
            >
              Take chosen out
            </button>
            <label>
              Merge into{' '}
              <input
                class="short"
                inputMode="numeric"
                aria-label="Number of the incident to merge into"
                value={into}
                onInput={(event) => setInto(event.currentTarget.value)}
              />
            </label>
            <button
              type="button"
              disabled={!/^[1-9]\d{0,8}$/.test(into)}
              onClick={() => void act('merge', { into: Number(into) }, `Merged into incident ${into}.`)}
            >
              Merge
            </button>
          </div>
        </section>
        <aside>
          <section class="card" aria-labelledby="devices-title">
            <h2 id="devices-title">Devices that acted</h2>
            <ul>
              {data.devices.map((key) => (
                <li key={key}>
                  <Link to={devicePath(key)}>{key}</Link>
                </li>
              ))}
            </ul>
            <h2>ATT&CK</h2>
            <p class="mono">{data.attacks.join(' ') || 'none'}</p>
            <h2>History</h2>
            <ol class="history">
              {data.history.map((entry) => (
                <li key={entry.id}>
                  {time.value.full(entry.at)} <b>{entry.who || 'Wardwatch'}</b> {entry.what}
                </li>
              ))}
              {data.history.length === 0 && <li class="muted">As Wardwatch has put it together.</li>}
            </ol>
          </section>
        </aside>
      </div>
    </article>
  );
}
