import { useEffect, useRef, useState } from 'preact/hooks';
import type { Alert } from '../../api/schemas.ts';
import type { EditBody, QueuePage, TriageBody, TriageDetails } from '../../api/schemas-triage.ts';
import { apiPath, RequestError } from '../api.ts';
import { formatCount } from '../format.ts';
import { useKeys } from '../keys.ts';
import { onTriage } from '../live.ts';
import type { Resource } from '../resource.ts';
import { useResource } from '../resource.ts';
import { alertPath, incidentPath } from '../router.ts';
import { send, SendError } from '../send.ts';
import { time } from '../site.ts';
import { changedHere, editAndTell, ME, tellFailure, triagePath } from '../triage.ts';
import { ActDialog } from './act-dialog.tsx';
import type { Act, ActTarget } from './act-dialog.tsx';
import { Link } from './link.tsx';
import { SeverityShape } from './severity.tsx';
import { Failure, Loading } from './states.tsx';
import { resolutionName, TriageState } from './triage-state.tsx';

const DAY_MS = 86_400_000;
const FIELD_NAMES: Record<string, string> = {
  state: 'state',
  resolution: 'resolution',
  note: 'note',
  assignee: 'assignee',
  tags: 'tags',
  severity: 'severity',
  incident: 'incident',
};

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  if (value === '' || value === 0) return 'none';
  return resolutionName(String(value)).replace('_', ' ');
}

/** What was made of the alert, and what can be done about it. */
export function TriagePanel({ alert, target }: { alert: Alert; target: Omit<ActTarget, 'triage'> }) {
  const details = useResource<TriageDetails>(triagePath(alert.uid), true);
  const [acting, setActing] = useState<Act | undefined>();
  const [stale, setStale] = useState<{ now: TriageBody; wanted: EditBody } | undefined>();
  const comment = useRef<HTMLTextAreaElement>(null);
  const [tag, setTag] = useState('');
  const triage = details.data?.triage;
  const evidence = apiPath(`/alerts/${encodeURIComponent(alert.uid)}/evidence`);

  useEffect(() => {
    if (changedHere.value > 0) details.reload();
  }, [changedHere.value]);
  // Another person's change is shown as it is now; an edit that was made on the older state is refused by the server.
  const seenRevision = useRef(0);
  const [changedBy, setChangedBy] = useState(false);
  useEffect(
    () =>
      onTriage(({ uids, total }) => {
        if (uids.includes(alert.uid) || (uids.length === 0 && total > 0)) setChangedBy(true);
      }),
    [alert.uid],
  );
  useEffect(() => {
    if (triage !== undefined) seenRevision.current = triage.revision;
    setChangedBy(false);
  }, [triage]);

  function change(edit: EditBody, words: string, on = triage): void {
    if (on === undefined) return;
    editAndTell(on, edit, words).then(
      () => setStale(undefined),
      (error: unknown) => {
        if (error instanceof SendError && error.current !== undefined) setStale({ now: error.current, wanted: edit });
        else tellFailure(error);
      },
    );
  }
  async function addComment(): Promise<void> {
    const text = comment.current?.value.trim() ?? '';
    if (text === '') return;
    try {
      await send('POST', apiPath(`/alerts/${encodeURIComponent(alert.uid)}/comments`), { text });
      if (comment.current !== null) comment.current.value = '';
      details.reload();
    } catch (error) {
      tellFailure(error);
    }
  }
  const take = (): void => change({ state: 'in_progress', assignee: ME }, 'Taken: in progress, assigned to you.');
  useKeys({
    a: take,
    l: () => setActing('learn'),
    m: () => setActing('mute'),
    c: () => setActing('close'),
    e: () => location.assign(evidence),
  });

  if (triage === undefined || details.data === undefined)
    return details.error instanceof RequestError ? (
      <Failure error={details.error} retry={details.reload} />
    ) : (
      <Loading lines={3} />
    );
  return (
    <section class="card triage" aria-labelledby="triage-title">
      <h2 id="triage-title">Triage</h2>
      <TriageState triage={triage} />
      {triage.note !== '' && <p class="note">{triage.note}</p>}
      {triage.incident > 0 && (
        <p>
          Part of <Link to={incidentPath(triage.incident)}>incident {triage.incident}</Link>
        </p>
      )}
      {triage.repeat_of !== '' && (
        <p>
          Happened before: <Link to={alertPath(triage.repeat_of)}>the alert that was resolved</Link>
        </p>
      )}
      <div class="triage-actions">
        <button type="button" onClick={take}>
          Take <kbd>a</kbd>
        </button>
        <button type="button" onClick={() => setActing('close')}>
          Close <kbd>c</kbd>
        </button>
        <button type="button" onClick={() => setActing('learn')}>
          Learn <kbd>l</kbd>
        </button>
        <button type="button" onClick={() => setActing('mute')}>
          Mute <kbd>m</kbd>
        </button>
        {triage.state === 'resolved' && (
          <button type="button" onClick={() => change({ state: 'new' }, 'Opened again.')}>
            Open again
          </button>
        )}
        <a class="button" href={evidence} download>
          Evidence <kbd>e</kbd>
        </a>
        <a
          class="button"
          href={apiPath(`/alerts/${encodeURIComponent(alert.uid)}/report`)}
          target="_blank"
          rel="noopener"
        >
          Report
        </a>
      </div>
      <div aria-live="polite">
        {changedBy && (
          <div class="notice">
            Somebody has changed this alert.{' '}
            <button type="button" onClick={details.reload}>
              Show it
            </button>
          </div>
        )}
        {stale && (
          <div class="notice notice-bad" role="alert">
            <strong>Somebody was faster.</strong> It is now {shown(stale.now.state)}
            {stale.now.assignee !== '' && `, assigned to ${stale.now.assignee}`}
            {stale.now.resolution !== '' && `, ${resolutionName(stale.now.resolution)}`}. Your change was not made.
            <div class="triage-actions">
              <button type="button" onClick={() => change(stale.wanted, 'Changed.', stale.now)}>
                Make my change all the same
              </button>
              <button
                type="button"
                onClick={() => {
                  setStale(undefined);
                  details.reload();
                }}
              >
                Keep theirs
              </button>
            </div>
          </div>
        )}
      </div>
      <form
        class="tags"
        onSubmit={(event) => {
          event.preventDefault();
          const text = tag.trim();
          if (text !== '') change({ add_tags: [text] }, `Tag ${text} added.`);
          setTag('');
        }}
      >
        {triage.tags.map((one) => (
          <button
            type="button"
            class="chip"
            key={one}
            aria-label={`Remove tag ${one}`}
            onClick={() => change({ remove_tags: [one] }, `Tag ${one} removed.`)}
          >
            {one} ×
          </button>
        ))}
        <input
          aria-label="New tag"
          placeholder="New tag"
          maxLength={64}
          value={tag}
          onInput={(event) => setTag(event.currentTarget.value)}
        />
      </form>
      <h3>History</h3>
      <ol class="history">
        {details.data.history.map((entry) => (
          <li key={entry.id}>
            <time dateTime={new Date(entry.at).toISOString()}>{time.value.full(entry.at)}</time>{' '}
            <b>{entry.who || 'Wardwatch'}</b> {entry.what}
            {entry.cause && <span class="muted"> ({entry.cause})</span>}
            {entry.comment && <p class="comment">{entry.comment}</p>}
            {Object.entries(entry.changes)
              .filter(([field]) => FIELD_NAMES[field] !== undefined)
              .map(([field, change]) => (
                <div class="muted" key={field}>
                  {FIELD_NAMES[field]}: {shown(change[0])} → {shown(change[1])}
                </div>
              ))}
          </li>
        ))}
        {details.data.history.length === 0 && <li class="muted">Nobody has touched it yet.</li>}
      </ol>
      <label class="field">
        Comment
        <textarea ref={comment} rows={2} maxLength={4000} />
      </label>
      <button type="button" onClick={() => void addComment()}>
        Add comment
      </button>
      {acting && <ActDialog act={acting} target={{ ...target, triage }} close={() => setActing(undefined)} />}
    </section>
  );
}

/** Alerts of the device in the day before and after, on a line and as a list. */
export function DeviceTimeline({ alert }: { alert: Alert }) {
  const from = Math.max(0, alert.time - DAY_MS);
  const to = alert.time + DAY_MS;
  const around: Resource<QueuePage> = useResource<QueuePage>(
    apiPath('/queue', {
      involved: alert.device,
      state: 'all',
      muted: 'with',
      from_ms: from,
      to_ms: to,
      sort: 'time',
      limit: 100,
    }),
  );
  if (around.error) return <Failure error={around.error} retry={around.reload} />;
  if (!around.data) return <Loading lines={3} />;
  const rows = around.data.rows;
  const x = (at: number): number => 10 + ((at - from) / (to - from)) * 780;
  return (
    <>
      <svg
        viewBox="0 0 800 44"
        class="timeline"
        role="img"
        aria-label={`${rows.length} alerts within a day: see the list`}
      >
        <line x1="10" y1="26" x2="790" y2="26" class="axis" />
        <text x="10" y="42">
          −24 h
        </text>
        <text x="790" y="42" text-anchor="end">
          +24 h
        </text>
        {rows.map((row) => (
          <line
            key={row.uid}
            x1={x(row.time)}
            x2={x(row.time)}
            y1={26 - row.severity_id * 4}
            y2="30"
            class={row.uid === alert.uid ? 'tick tick-own' : 'tick'}
          />
        ))}
      </svg>
      <ol class="related">
        {rows.slice(0, 12).map((row) => (
          <li key={row.uid} aria-current={row.uid === alert.uid ? 'true' : undefined}>
            <time dateTime={new Date(row.time).toISOString()}>{time.value.full(row.time)}</time>{' '}
            <SeverityShape id={row.severity_id} />{' '}
            {row.uid === alert.uid ? <b>{row.title}</b> : <Link to={alertPath(row.uid)}>{row.title}</Link>}
          </li>
        ))}
      </ol>
      {rows.length > 12 && <p class="muted">and {formatCount(around.data.total - 12)} more</p>}
    </>
  );
}
