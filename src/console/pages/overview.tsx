import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { OverviewNow } from '../../api/schemas-overview.ts';
import { apiPath } from '../api.ts';
import { formatCount, formatDuration, formatShare, formatType, severityName } from '../format.ts';
import { onAlert, onDevice, onTriage, status } from '../live.ts';
import { Bars } from '../parts/bars.tsx';
import { Link } from '../parts/link.tsx';
import { SeverityShape } from '../parts/severity.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { go, route, withQuery } from '../router.ts';
import { time } from '../site.ts';

const SLOTS = 48;
const MOST_CLASSES = 12;
/** What happens is counted anew at most this often. */
const RELOAD_MS = 4000;
const SPANS: [hours: number, label: string][] = [
  [1, 'the last hour'],
  [6, 'the last 6 hours'],
  [24, 'the last day'],
  [168, 'the last week'],
  [720, 'the last 30 days'],
];
const WAITING = '/alerts?severity=3&assignee=-';

/** One number that a person acts on, with the list behind it. */
function Figure({ to, n, what, bad, children }: FigureProps) {
  return (
    <li class={bad && n > 0 ? 'figure figure-bad' : 'figure'}>
      <Link to={to}>
        <b>{formatCount(n)}</b> <span>{what}</span>
      </Link>
      <div class="muted small">{children}</div>
    </li>
  );
}
interface FigureProps {
  to: string;
  n: number;
  what: string;
  bad?: boolean;
  children?: ComponentChildren;
}

function Needs({ now }: { now: OverviewNow }) {
  const { waiting, devices } = now;
  const age = waiting.oldest === null ? 0 : Math.max(0, (now.now - waiting.oldest) / 1000);
  const severities = Object.entries(waiting.by_severity).sort(([a], [b]) => Number(b) - Number(a));
  return (
    <section class="card" aria-labelledby="needs-title">
      <h2 id="needs-title">What needs a person now</h2>
      <ul class="figures">
        <Figure to={WAITING} n={waiting.count} what="alerts that nobody has taken" bad>
          {waiting.count === 0 ? (
            'Medium and above. None is waiting.'
          ) : (
            <>
              {severities.map(([id, n]) => (
                <span key={id} class="nowrap">
                  <SeverityShape id={Number(id)} /> {formatCount(n)} {severityName(Number(id))}{' '}
                </span>
              ))}
              <br />
              The oldest has waited for <Link to={`${WAITING}&sort=time`}>{formatDuration(age)}</Link>.
            </>
          )}
        </Figure>
        <Figure to={`/devices?first_seen_from=${devices.new_from}`} n={devices.new} what="new devices">
          First seen in the last day.
        </Figure>
        <Figure to="/devices?type=unknown" n={devices.unknown} what="devices unknown" bad>
          Nothing has told what they are.
        </Figure>
        <Figure to="/alerts?detector=blind-spot" n={now.blind_spots} what="blind spots" bad>
          Where Wardwatch cannot see, quiet means nothing.
        </Figure>
      </ul>
    </section>
  );
}

function Classes({ devices }: { devices: OverviewNow['devices'] }) {
  if (devices.total === 0) return <p class="muted">No device seen yet. Is the mirror port sending?</p>;
  const shown = devices.by_class.slice(0, MOST_CLASSES);
  const cell = (type: string, risk: string, n: number) =>
    n === 0 ? (
      <span class="muted">0</span>
    ) : (
      <Link
        to={`/devices?type=${encodeURIComponent(type)}${risk}`}
        label={`${formatCount(n)} ${formatType(type)}${risk === '' ? '' : risk.endsWith('3') ? ', high risk' : ', medium risk and above'}`}
      >
        {formatCount(n)}
      </Link>
    );
  return (
    <>
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col" class="number">
              High risk
            </th>
            <th scope="col" class="number">
              Medium+
            </th>
            <th scope="col" class="number">
              All
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ type, total, medium, high }) => (
            <tr key={type}>
              <th scope="row">{formatType(type)}</th>
              <td class="number">{cell(type, '&risk=3', high)}</td>
              <td class="number">{cell(type, '&risk=2', medium)}</td>
              <td class="number">{cell(type, '', total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="muted">
        <Link to="/devices">All {formatCount(devices.total)} devices</Link>
        {devices.by_class.length > shown.length && ` in ${formatCount(devices.by_class.length)} classes`},{' '}
        <Link to="/devices?risk=3&sort=risk">the riskiest</Link>
      </p>
    </>
  );
}

function Learning({ devices }: { devices: OverviewNow['devices'] }) {
  const whole = status.value?.learning ?? 0;
  const known = devices.total - devices.learning;
  return (
    <>
      <p>
        <progress max={1} value={whole} aria-label="Learning of the site" /> {Math.floor(whole * 100)} % of the site’s
        learning time
      </p>
      <p>
        <progress max={Math.max(1, devices.total)} value={known} aria-label="Devices with a baseline" />{' '}
        {formatCount(known)} of {formatCount(devices.total)} devices have a baseline
        {devices.learning > 0 && (
          <>
            , <Link to="/devices?phase=learning">{formatCount(devices.learning)} still learn</Link>
          </>
        )}
        .
      </p>
    </>
  );
}

const ENDPOINTS = { working: 'working', away: 'does not answer', disabled: 'switched off' };

function Delivery({ delivery }: { delivery: OverviewNow['delivery'] }) {
  if (delivery === null) return <p class="muted">Alerts are not delivered anywhere: no endpoint is configured.</p>;
  return (
    <>
      <ul class="points">
        {delivery.endpoints.map((one) => (
          <li key={one.name} class={one.state === 'working' ? undefined : 'troubled'}>
            <b>{one.name}</b> <span class="muted">{one.kind}</span> {ENDPOINTS[one.state]}
            {one.detail !== '' && <span class="muted">: {one.detail}</span>}
          </li>
        ))}
      </ul>
      <p class={delivery.dead > 0 ? 'troubled' : 'muted'}>
        {formatCount(delivery.queued)} queued, {formatCount(delivery.dead)} given up
        {delivery.deferred > 0 && `, ${formatCount(delivery.deferred)} set aside`}
      </p>
    </>
  );
}

function Pipeline() {
  const now = status.value;
  if (now === undefined) return <Loading lines={3} />;
  const dropped = Object.entries(now.dropped).filter(([, n]) => n > 0);
  const off = now.detectors.filter((one) => one.status !== 'on');
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd class={now.state === 'failed' ? 'troubled' : undefined}>
        {now.state}
        {now.error !== undefined && `: ${now.error}`}
      </dd>
      <dt>Sources</dt>
      <dd>{now.sources.join(', ') || 'none'}</dd>
      <dt>Frames</dt>
      <dd>
        {formatCount(now.frames_per_second)} a second, {formatCount(now.frames)} in all
      </dd>
      <dt>Lag</dt>
      <dd class={(now.lag_ms ?? 0) > 30_000 ? 'troubled' : undefined}>
        {now.lag_ms === null ? 'says nothing for a recording' : formatDuration(now.lag_ms / 1000)}
      </dd>
      <dt>Capture loss</dt>
      <dd class={(now.capture_loss ?? 0) > 0.001 ? 'troubled' : undefined}>
        {now.capture_loss === null ? 'not known' : formatShare(now.capture_loss)}
      </dd>
      <dt>Dropped</dt>
      <dd class={dropped.length > 0 ? 'troubled' : undefined}>
        {dropped.length === 0 ? 'nothing' : dropped.map(([reason, n]) => `${formatCount(n)} ${reason}`).join(', ')}
      </dd>
      <dt>Detectors</dt>
      <dd>
        {now.detectors.length - off.length} on
        {off.length > 0 && (
          <ul class="points">
            {off.map((one) => (
              <li key={one.id} class="troubled">
                {one.id} {one.status}
                {one.reason !== undefined && <span class="muted">: {one.reason}</span>}
              </li>
            ))}
          </ul>
        )}
      </dd>
    </dl>
  );
}

/** The start page: what needs a person, what is there, and whether what is not shown can be trusted. */
export function OverviewPage() {
  const hours = Number(route.value.query.get('hours') ?? 24) || 24;
  const answer = useResource<OverviewNow>(apiPath('/overview/now', { hours }), true);
  useEffect(() => {
    let due: ReturnType<typeof setTimeout> | undefined;
    const soon = (): void => {
      due ??= setTimeout(() => {
        due = undefined;
        answer.reload();
      }, RELOAD_MS);
    };
    const ends = [onAlert(soon), onDevice(soon), onTriage(soon)];
    return () => {
      clearTimeout(due);
      for (const end of ends) end();
    };
  }, []);
  const now = answer.data;
  return (
    <>
      <div class="heading">
        <h1>Overview</h1>
        {now && <span class="muted">as of {time.value.full(now.now)}</span>}
      </div>
      {answer.error && <Failure error={answer.error} retry={answer.reload} />}
      {!now && !answer.error && <Loading lines={10} />}
      {now && (
        <div class={answer.error ? 'stale' : undefined}>
          <Needs now={now} />
          <div class="columns">
            <div>
              <section class="card" aria-labelledby="over-time-title">
                <h2 id="over-time-title">Alerts over time</h2>
                <label class="inline">
                  Within{' '}
                  <select value={hours} onChange={(event) => go(withQuery({ hours: event.currentTarget.value }), true)}>
                    {SPANS.map(([value, label]) => (
                      <option key={value} value={value}>
                        {label}
                      </option>
                    ))}
                  </select>
                </label>
                <Bars
                  label="Alerts"
                  from={now.timeline.from}
                  stepMs={now.timeline.step_ms}
                  slots={SLOTS}
                  rows={now.timeline.rows}
                  listOf={(start, end) => `/alerts?state=all&muted=with&from=${start}&to=${end - 1}`}
                />
              </section>
              <section class="card" aria-labelledby="classes-title">
                <h2 id="classes-title">Devices by class and risk</h2>
                <Classes devices={now.devices} />
              </section>
            </div>
            <aside>
              <section class="card" aria-labelledby="learning-title">
                <h2 id="learning-title">Learning</h2>
                <Learning devices={now.devices} />
              </section>
              <section class="card" aria-labelledby="pipeline-title">
                <h2 id="pipeline-title">Sensor and pipeline</h2>
                <Pipeline />
              </section>
              <section class="card" aria-labelledby="delivery-title">
                <h2 id="delivery-title">Delivery</h2>
                <Delivery delivery={now.delivery} />
              </section>
            </aside>
          </div>
        </div>
      )}
    </>
  );
}
