import { useEffect, useState } from 'preact/hooks';
import type { MaintenanceList, RuleList, ScopeBody } from '../../api/schemas-triage.ts';
import { apiPath } from '../api.ts';
import { formatCount, formatType } from '../format.ts';
import { onTriage } from '../live.ts';
import { clockOf, DailyFields } from '../parts/daily.tsx';
import type { Daily } from '../parts/daily.tsx';
import { Link } from '../parts/link.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { devicePath } from '../router.ts';
import { send } from '../send.ts';
import { time } from '../site.ts';
import { changedHere, tell, tellFailure, undoRule } from '../triage.ts';

function Scope({ scope }: { scope: ScopeBody }) {
  const parts = [
    scope.device_type !== undefined && `class ${formatType(scope.device_type)}`,
    scope.detector !== undefined && `detector ${scope.detector}`,
    scope.peer !== undefined && `with ${scope.peer}`,
    scope.service !== undefined && `service ${scope.service}`,
    scope.vlan !== undefined && `VLAN ${scope.vlan || 'untagged'}`,
    scope.daily !== undefined && `daily ${clockOf(scope.daily.from)} to ${clockOf(scope.daily.to)} ${scope.daily.zone}`,
  ].filter(Boolean);
  return (
    <>
      {scope.device !== undefined && <Link to={devicePath(scope.device)}>{scope.device}</Link>}
      {scope.device !== undefined && parts.length > 0 && ', '}
      {parts.join(', ')}
    </>
  );
}

const STATUS = { active: 'in force', over: 'over', undone: 'undone' };

/** Learn, mute and close: what is in force, what it did, and the way back. */
export function RulesPage() {
  const rules = useResource<RuleList>(apiPath('/rules'), true);
  const [only, setOnly] = useState('');
  useEffect(() => onTriage(() => rules.reload()), []);
  useEffect(() => {
    if (changedHere.value > 0) rules.reload();
  }, [changedHere.value]);
  const rows = (rules.data?.rows ?? []).filter((rule) =>
    only === '' ? true : only === 'look' ? rule.remark !== '' : rule.status === 'active',
  );
  return (
    <>
      <div class="heading">
        <h1>Rules</h1>
        <label>
          <span class="visually-hidden">Which rules</span>
          <select value={only} onChange={(event) => setOnly(event.currentTarget.value)}>
            <option value="">All</option>
            <option value="active">In force</option>
            <option value="look">Worth a look</option>
          </select>
        </label>
        <a class="button" href={apiPath('/rules/decisions')} download="decisions.json">
          Decisions for replay
        </a>
      </div>
      {rules.error && <Failure error={rules.error} retry={rules.reload} />}
      {!rules.data && !rules.error && <Loading lines={5} />}
      {rules.data && rows.length === 0 && (
        <Empty title={only === '' ? 'No rules' : 'No such rule'}>
          <p>Rules are made on an alert: learn (l), mute (m) or close (c).</p>
        </Empty>
      )}
      {rows.length > 0 && (
        <div class="scroll" role="region" aria-label="Rules" tabIndex={0}>
          <table class="grid rules">
            <thead>
              <tr>
                <th scope="col">Act</th>
                <th scope="col">What</th>
                <th scope="col">Why</th>
                <th scope="col">Owner</th>
                <th scope="col">Until</th>
                <th scope="col" class="number">
                  Acted on
                </th>
                <th scope="col">State</th>
                <th scope="col">
                  <span class="visually-hidden">Undo</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((rule) => (
                <tr key={rule.id} class={rule.status === 'active' ? undefined : 'past'}>
                  <th scope="row">
                    {rule.act} <span class="muted">{rule.id}</span>
                  </th>
                  <td>
                    <Scope scope={rule.scope} />
                  </td>
                  <td>{rule.reason}</td>
                  <td>
                    {rule.owner} <div class="muted">{time.value.full(rule.created)}</div>
                  </td>
                  <td>{rule.until === 0 ? '–' : time.value.full(rule.until)}</td>
                  <td class="number">{formatCount(rule.matches)}</td>
                  <td>
                    {STATUS[rule.status]}
                    {rule.status === 'undone' && <span class="muted"> by {rule.undone_by}</span>}
                    {rule.remark !== '' && <span class="tag">{rule.remark}</span>}
                  </td>
                  <td>
                    {rule.status !== 'undone' && (
                      <button
                        type="button"
                        onClick={() => {
                          undoRule(rule).then(() => tell(`Rule ${rule.id} was undone.`), tellFailure);
                        }}
                      >
                        Undo
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Maintenance />
    </>
  );
}

function Maintenance() {
  const windows = useResource<MaintenanceList>(apiPath('/maintenance'), true);
  const [title, setTitle] = useState('');
  const [kind, setKind] = useState<'vlan' | 'device' | 'device_type'>('vlan');
  const [value, setValue] = useState('');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [act, setAct] = useState('informational');
  const [daily, setDaily] = useState<Daily | undefined>();
  const rows = (windows.data?.rows ?? []).filter((one) => one.removed === 0);

  async function plan(): Promise<void> {
    try {
      await send('POST', apiPath('/maintenance'), {
        title,
        scope: { [kind]: value, ...(daily === undefined ? {} : { daily }) },
        act,
        from: new Date(from).getTime(),
        to: new Date(to).getTime(),
      });
      tell('The maintenance is in the calendar.');
      setTitle('');
      windows.reload();
    } catch (error) {
      tellFailure(error);
    }
  }
  return (
    <section class="card" aria-labelledby="maintenance-title">
      <h2 id="maintenance-title">Maintenance calendar</h2>
      <p class="muted">
        Alerts of the device or zone in this time are marked and stay informational, or are muted. None is lost.
      </p>
      {windows.error && <Failure error={windows.error} retry={windows.reload} />}
      {rows.length > 0 && (
        <div class="scroll" role="region" aria-label="Maintenance windows" tabIndex={0}>
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">Where</th>
                <th scope="col">From</th>
                <th scope="col">To</th>
                <th scope="col">Alerts are</th>
                <th scope="col" class="number">
                  Marked
                </th>
                <th scope="col">
                  <span class="visually-hidden">Remove</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.id}>
                  <th scope="row">
                    {one.title} <div class="muted">{one.owner}</div>
                  </th>
                  <td>
                    <Scope scope={one.scope} />
                  </td>
                  <td>{time.value.full(one.from)}</td>
                  <td>{time.value.full(one.to)}</td>
                  <td>{one.act === 'mute' ? 'muted' : 'informational'}</td>
                  <td class="number">{formatCount(one.alerts)}</td>
                  <td>
                    <button
                      type="button"
                      onClick={() => {
                        send('DELETE', apiPath(`/maintenance/${one.id}`)).then(() => {
                          tell(`Removed from the calendar: ${one.title}.`);
                          windows.reload();
                        }, tellFailure);
                      }}
                    >
                      Remove
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          void plan();
        }}
      >
        <label class="field">
          What
          <input required maxLength={200} value={title} onInput={(event) => setTitle(event.currentTarget.value)} />
        </label>
        <label class="field">
          Where
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value as typeof kind)}>
            <option value="vlan">VLAN</option>
            <option value="device">Device</option>
            <option value="device_type">Class of devices</option>
          </select>
        </label>
        <label class="field">
          Its name
          <input required maxLength={512} value={value} onInput={(event) => setValue(event.currentTarget.value)} />
        </label>
        <label class="field">
          From <span class="muted">(time of this machine)</span>
          <input type="datetime-local" required value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label class="field">
          To
          <input type="datetime-local" required value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
        <label class="field">
          Alerts are
          <select value={act} onChange={(event) => setAct(event.currentTarget.value)}>
            <option value="informational">informational</option>
            <option value="mute">muted</option>
          </select>
        </label>
        <DailyFields daily={daily} change={setDaily} />
        <button type="submit" class="primary">
          Plan
        </button>
      </form>
    </section>
  );
}
