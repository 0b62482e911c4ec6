import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Alert, FlowList } from '../../api/schemas.ts';
import { apiPath } from '../api.ts';
import { readFinding } from '../finding.ts';
import type { Comparison, Endpoint, Evidence, FindingView } from '../finding.ts';
import { deviceLabel, formatCount, formatDuration, formatPValue, formatType } from '../format.ts';
import { useKeys } from '../keys.ts';
import { onAlert } from '../live.ts';
import { Flows } from '../parts/flows.tsx';
import type { ActTarget } from '../parts/act-dialog.tsx';
import { Link } from '../parts/link.tsx';
import { PeersGraph, peersOf } from '../parts/peers.tsx';
import { Severity } from '../parts/severity.tsx';
import { Failure, Loading, Missing } from '../parts/states.tsx';
import { DeviceTimeline, TriagePanel } from '../parts/triage-panel.tsx';
import { changePlace, place } from '../queue.ts';
import { useResource } from '../resource.ts';
import { alertPath, devicePath, go } from '../router.ts';
import { time } from '../site.ts';

const FLOW_ROWS = 300;
/** Seconds before and after the alert in which its device's flows are shown. */
const FLOW_MARGIN_S = 60;
const FIRST_COMPARISONS = 6;
const FIRST_EVIDENCE = 5;
const FIRST_PARTIES = 6;

function Why({ rows }: { rows: Comparison[] }) {
  const [all, setAll] = useState(false);
  // The leading finding comes first; what related ones compared is seldom needed at once.
  const shown = all ? rows : rows.slice(0, FIRST_COMPARISONS);
  if (rows.length === 0) {
    return <p class="muted">This detector goes by a rule, not by a learned range: the evidence below is the reason.</p>;
  }
  return (
    <>
      <div class="scroll" role="region" aria-label="Expected and seen" tabIndex={0}>
        <table class="grid why">
          <thead>
            <tr>
              <th scope="col">What was looked at</th>
              <th scope="col">Usual</th>
              <th scope="col">Seen</th>
              <th scope="col" class="number">
                Learned from
              </th>
              <th scope="col" class="number">
                p-value
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row, i) => (
              <tr key={i}>
                <th scope="row">
                  {row.parameter || 'not named'}
                  {row.unit && <span class="muted"> in {row.unit}</span>}
                </th>
                <td>{row.usual || <span class="muted">not recorded</span>}</td>
                <td>
                  <strong class="seen">{row.seen || 'not recorded'}</strong>
                  {row.pattern && row.pattern !== row.seen && <div class="muted">{row.pattern}</div>}
                </td>
                <td class="number">{row.learned === undefined ? '–' : formatCount(row.learned)}</td>
                <td class="number">{row.pValue === undefined ? '–' : formatPValue(row.pValue)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < rows.length && (
        <button type="button" class="more" onClick={() => setAll(true)}>
          Show all {rows.length}
        </button>
      )}
    </>
  );
}

function End({ end }: { end: Endpoint | undefined }) {
  if (!end) return <span class="muted">not recorded</span>;
  return (
    <>
      {end.name && <div>{end.name}</div>}
      <div class="mono">
        {end.ip || end.mac || 'no address'}
        {end.port !== undefined && <span class="muted">:{end.port}</span>}
        {end.ip && end.mac && <span class="muted"> {end.mac}</span>}
      </div>
    </>
  );
}

function EvidenceTable({ rows }: { rows: Evidence[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? rows : rows.slice(0, FIRST_EVIDENCE);
  return (
    <>
      <div class="scroll" role="region" aria-label="Pairs of endpoints" tabIndex={0}>
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">Service</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row, i) => (
              <tr key={i}>
                <td>
                  <End end={row.src} />
                </td>
                <td>
                  <End end={row.dst} />
                </td>
                <td>{row.service || '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < rows.length && (
        <button type="button" class="more" onClick={() => setAll(true)}>
          Show all {rows.length}
        </button>
      )}
    </>
  );
}

function Patient({ view }: { view: FindingView }) {
  if (!view.patientImpact && view.doThis.length === 0 && view.doNot.length === 0) return null;
  return (
    <section class="card patient" aria-labelledby="patient-title">
      <h2 id="patient-title">For the patient</h2>
      {view.patientImpact && <p>{view.patientImpact}</p>}
      {view.doNot.length > 0 && (
        <>
          <h3 class="do-not">
            <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
              <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" stroke-width="2.500" stroke-linecap="round" />
            </svg>
            Do not
          </h3>
          <ul>
            {view.doNot.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </>
      )}
      {view.doThis.length > 0 && (
        <>
          <h3 class="do">
            <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
              <path
                d="M2 8.500l4 4 8-9"
                fill="none"
                stroke="currentColor"
                stroke-width="2.500"
                stroke-linecap="round"
              />
            </svg>
            Do
          </h3>
          <ol>
            {view.doThis.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function frameText(first: number | undefined, last: number | undefined): string {
  if (first === undefined) return '';
  return last === undefined || last === first
    ? `frame ${formatCount(first)}`
    : `frames ${formatCount(first)} to ${formatCount(last)}`;
}

function Facts({ alert, view }: { alert: Alert; view: FindingView }) {
  const names = new Map<string, string>();
  for (const { src, dst } of view.evidence) {
    for (const end of [src, dst]) if (end?.key) names.set(end.key, end.name || end.ip);
  }
  const party = (key: string) => (
    <div key={key}>
      <Link to={devicePath(key)}>{names.get(key) || key}</Link>
    </div>
  );
  return (
    <section class="card card-facts" aria-labelledby="facts-title">
      <h2 id="facts-title">Facts</h2>
      <dl class="facts">
        <dt>Device</dt>
        <dd>
          <Link to={devicePath(alert.device)}>
            {deviceLabel({ name: alert.device_name, ip: alert.device_ip, mac: alert.device_mac, key: alert.device })}
          </Link>
          <div class="muted">{formatType(alert.device_type)}</div>
          <div class="mono">{alert.device_ip}</div>
          <div class="mono">{alert.device_mac}</div>
        </dd>
        {alert.parties.length > 0 && (
          <>
            <dt>Also involved</dt>
            <dd>
              {alert.parties.slice(0, FIRST_PARTIES).map(party)}
              {alert.parties.length > FIRST_PARTIES && (
                <details>
                  <summary>{alert.parties.length - FIRST_PARTIES} more</summary>
                  {alert.parties.slice(FIRST_PARTIES).map(party)}
                </details>
              )}
            </dd>
          </>
        )}
        <dt>ATT&CK</dt>
        <dd>
          {view.techniques.length > 0
            ? view.techniques.map((one) => (
                <div key={one.uid}>
                  <span class="mono">{one.uid}</span> {one.name}
                </div>
              ))
            : alert.attacks.join(', ') || <span class="muted">no technique</span>}
        </dd>
        <dt>Detector</dt>
        <dd>{alert.detectors.join(', ') || alert.detector}</dd>
        <dt>Confidence</dt>
        <dd>
          {formatCount(alert.confidence_score)} <span class="muted">of 100</span>
        </dd>
        <dt>Risk</dt>
        <dd>
          {formatCount(alert.risk_score)} <span class="muted">of 100</span>
        </dd>
        <dt>Findings</dt>
        <dd>{formatCount(alert.findings)}</dd>
        {view.frames.length > 0 && (
          <>
            <dt>Frames</dt>
            <dd>
              {view.frames.map((range, i) => (
                <div key={i}>
                  <span class="mono">{range.origin || 'unknown origin'}</span> {frameText(range.first, range.last)}
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>Id</dt>
        <dd class="mono small">{alert.uid}</dd>
      </dl>
      <p>
        <a href={apiPath(`/alerts/${encodeURIComponent(alert.uid)}`)}>The whole finding as OCSF</a>
      </p>
    </section>
  );
}

/** What a rule made on this alert could be about. */
function targetOf(alert: Alert, view: FindingView): Omit<ActTarget, 'triage'> {
  const own = new Set([alert.device, alert.device_ip, alert.device_mac]);
  const ends = view.evidence.flatMap(({ src, dst }) => [src, dst]);
  const names = ends.map((end) => (end === undefined ? '' : end.key || end.ip || end.mac));
  return {
    title: alert.title,
    detector: alert.detector,
    device: alert.device,
    device_name: alert.device_name,
    device_ip: alert.device_ip,
    device_mac: alert.device_mac,
    device_type: alert.device_type,
    vlan: alert.vlan,
    peers: [...new Set(names)].filter((name) => name !== '' && !own.has(name)).slice(0, 20),
    services: [...new Set(view.evidence.map((one) => one.service))].filter((one) => one !== '').slice(0, 20),
  };
}

export function AlertPage({ uid }: { uid: string }) {
  const path = `/alerts/${encodeURIComponent(uid)}`;
  const alert = useResource<Alert>(apiPath(path));
  const flows = useResource<FlowList>(apiPath(`${path}/flows`, { limit: FLOW_ROWS, margin_s: FLOW_MARGIN_S }));
  const [changed, setChanged] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const view = useMemo(() => readFinding(alert.data?.ocsf ?? null), [alert.data]);
  const loaded = alert.data !== undefined;

  useEffect(() => {
    changePlace(place.value.path, { focus: uid });
    return onAlert((event) => {
      if (event.alert.uid === uid) setChanged(true);
    });
  }, [uid]);
  // Readers of the screen hear where they are, as after loading a page.
  useEffect(() => heading.current?.focus({ preventScroll: true }), [loaded]);

  function step(by: number): void {
    const { uids } = place.value;
    const next = uids[uids.indexOf(uid) + by];
    if (uids.includes(uid) && next !== undefined) go(alertPath(next), true);
  }
  const back = (): void => go(place.value.path);
  useKeys({ j: () => step(1), k: () => step(-1), Escape: back });

  if (alert.error?.status === 404) return <Missing what="alert" back="/alerts" backText="To the alerts" />;
  if (!alert.data) return alert.error ? <Failure error={alert.error} retry={alert.reload} /> : <Loading lines={10} />;
  // Addresses of the evidence other than the device's own: flows with them are marked.
  const ends = view.evidence.flatMap((one) => [one.src?.ip, one.dst?.ip]);
  const peers = new Set(ends.filter((ip) => ip !== undefined && ip !== '' && ip !== alert.data?.device_ip));
  const { uids } = place.value;
  const at = uids.indexOf(uid);
  const seconds = (alert.data.end_time - alert.data.start_time) / 1000;
  return (
    <article>
      <div class="crumbs">
        <Link to={place.value.path}>‹ Alerts</Link>
        {at >= 0 && (
          <span class="crumbs-steps">
            <button type="button" class="quiet" disabled={at === 0} onClick={() => step(-1)}>
              Before <kbd>k</kbd>
            </button>
            <button type="button" class="quiet" disabled={at === uids.length - 1} onClick={() => step(1)}>
              Next <kbd>j</kbd>
            </button>
          </span>
        )}
      </div>
      <div aria-live="polite">
        {changed && (
          <div class="notice">
            This alert has grown.{' '}
            <button
              type="button"
              onClick={() => {
                setChanged(false);
                alert.reload();
                flows.reload();
              }}
            >
              Show it
            </button>
          </div>
        )}
      </div>
      <header class="alert-head">
        <Severity id={alert.data.severity_id} />
        <h1 ref={heading} tabIndex={-1}>
          {alert.data.title}
        </h1>
        <p class="sentence">{view.sentence || alert.data.message}</p>
        <p class="muted">
          <time dateTime={new Date(alert.data.time).toISOString()}>{time.value.full(alert.data.time)}</time>{' '}
          {time.value.zone} · from {time.value.clock(alert.data.start_time)} to {time.value.clock(alert.data.end_time)}{' '}
          ({formatDuration(seconds)})
        </p>
      </header>
      <div class="columns">
        <div>
          <section class="card" aria-labelledby="why-title">
            <h2 id="why-title">Why this fired</h2>
            <Why rows={view.comparisons} />
          </section>
          {view.evidence.length > 0 && (
            <section class="card" aria-labelledby="evidence-title">
              <h2 id="evidence-title">Evidence</h2>
              <EvidenceTable rows={view.evidence} />
            </section>
          )}
          {view.related.length > 0 && (
            <section class="card" aria-labelledby="related-title">
              <h2 id="related-title">Also seen</h2>
              <ul class="related">
                {view.related.map((one, i) => (
                  <li key={i}>
                    {one.sentence}{' '}
                    <span class="muted">
                      {one.detector}
                      {one.time !== undefined && `, ${time.value.clock(one.time)}`}
                    </span>
                  </li>
                ))}
              </ul>
            </section>
          )}
          <section class="card card-late" aria-labelledby="peers-title">
            <h2 id="peers-title">Whom it talked to, before and since</h2>
            {flows.data && (
              <PeersGraph
                peers={peersOf(flows.data.rows, new Set([alert.data.device_ip]), alert.data.start_time)}
                label={alert.data.device_name || alert.data.device_ip || alert.data.device}
              />
            )}
          </section>
          <section class="card card-late" aria-labelledby="timeline-title">
            <h2 id="timeline-title">Alerts of the device, a day before and after</h2>
            <DeviceTimeline alert={alert.data} />
          </section>
          <section class="card card-late" aria-labelledby="flows-title">
            <h2 id="flows-title">What the device did around then</h2>
            {flows.error && <Failure error={flows.error} retry={flows.reload} />}
            {!flows.data && !flows.error && <Loading lines={4} />}
            {flows.data &&
              (flows.data.rows.length > 0 ? (
                <Flows rows={flows.data.rows} marked={peers} />
              ) : (
                <p class="muted">No flows of this device are kept from a minute before to a minute after.</p>
              ))}
          </section>
        </div>
        <aside>
          <TriagePanel alert={alert.data} target={targetOf(alert.data, view)} />
          <Patient view={view} />
          <Facts alert={alert.data} view={view} />
        </aside>
      </div>
    </article>
  );
}
