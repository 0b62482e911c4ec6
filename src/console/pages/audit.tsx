import { useState } from 'preact/hooks';
import { apiPath, getJson, RequestError } from '../api.ts';
import { formatCount } from '../format.ts';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { go, route, withQuery } from '../router.ts';
import { time } from '../site.ts';
import type { AuditPage as Body, AuditVerdictInfo } from '../../api/schemas-access.ts';

/** Who did what, newest first. For admins. */
export function AuditPage() {
  const { query } = route.value;
  const who = query.get('who') ?? '';
  const outcome = query.get('outcome') ?? '';
  const before = query.get('before') ?? '';
  const list = useResource<Body>(apiPath('/audit', { limit: 50, who, outcome, before }), true);
  const [verdict, setVerdict] = useState<AuditVerdictInfo | RequestError | undefined>();
  const verify = (): void =>
    void getJson<AuditVerdictInfo>(apiPath('/audit/verify'), AbortSignal.timeout(60_000)).then(
      setVerdict,
      (error: unknown) => setVerdict(error instanceof RequestError ? error : new RequestError(0, 'It failed.')),
    );
  if (list.error && !list.data) return <Failure error={list.error} retry={list.reload} />;
  if (!list.data) return <Loading />;
  const { rows, next } = list.data;
  return (
    <>
      <div class="heading">
        <h1>Audit log</h1>
      </div>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label class="grow">
          <span class="visually-hidden">Who</span>
          <input
            type="search"
            placeholder="Who, the whole name"
            maxLength={200}
            defaultValue={who}
            onChange={(event) => go(withQuery({ who: event.currentTarget.value.trim(), before: '' }))}
          />
        </label>
        <label>
          <span class="visually-hidden">Outcome</span>
          <select
            value={outcome}
            onChange={(event) => go(withQuery({ outcome: event.currentTarget.value, before: '' }))}
          >
            <option value="">All outcomes</option>
            <option value="done">done</option>
            <option value="refused">refused</option>
            <option value="failed">failed</option>
          </select>
        </label>
        <button type="button" onClick={verify}>
          Verify the chain
        </button>
        <a class="button" href={apiPath('/export/audit')} download>
          Export
        </a>
      </form>
      <div aria-live="polite">
        {verdict && (
          <div class={`notice${'ok' in verdict && verdict.ok ? '' : ' notice-bad'}`}>
            <strong>
              {'ok' in verdict
                ? verdict.ok
                  ? `All ${formatCount(verdict.entries)} entries are as they were written.`
                  : `Entry ${formatCount(verdict.entries + 1)}: ${verdict.fault ?? ''}.`
                : verdict.message}
            </strong>
            {'ok' in verdict && verdict.ok && (
              <p class="small">
                Head <span class="mono">{verdict.head}</span>
                {verdict.keyed ? '' : '; without a key (access.audit_key_file) it shows accidents, not a careful hand'}
              </p>
            )}
          </div>
        )}
      </div>
      {rows.length === 0 ? (
        <Empty title="No entry" />
      ) : (
        <div class="scroll card" role="region" aria-label="Audit log" tabIndex={0}>
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">To what</th>
                <th scope="col">Outcome</th>
                <th scope="col">Detail</th>
                <th scope="col">From</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.seq}>
                  <td class="nowrap">{time.value.full(row.at)}</td>
                  <td>{row.who || <span class="muted">nobody</span>}</td>
                  <td>{row.act}</td>
                  <td class="mono">{row.object}</td>
                  <td class={row.outcome === 'done' ? undefined : 'seen'}>{row.outcome}</td>
                  <td>{row.detail}</td>
                  <td class="mono">{row.address}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <nav class="pager" aria-label="Pages">
        {before !== '' && (
          <button type="button" onClick={() => go(withQuery({ before: '' }))}>
            ‹ Newest
          </button>
        )}
        {next !== null && (
          <button type="button" onClick={() => go(withQuery({ before: String(next) }))}>
            Older ›
          </button>
        )}
      </nav>
    </>
  );
}
