import { useState } from 'preact/hooks';
import type { Changes } from '../../api/schemas-inventory.ts';
import { apiPath } from '../api.ts';
import { ChangeList } from '../parts/inventory.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { go, route, withQuery } from '../router.ts';
import { status } from '../live.ts';

const HOUR_MS = 3_600_000;
const SPANS: [hours: number, label: string][] = [
  [1, 'the last hour'],
  [24, 'the last day'],
  [168, 'the last week'],
  [720, 'the last 30 days'],
  [8760, 'the last year'],
];

/** What has changed in the inventory since a time: devices, who they are, whom they talk to. */
export function ChangesPage() {
  const hours = Number(route.value.query.get('hours') ?? 24) || 24;
  // Event time of the first look: it must not run on while pages are turned.
  const [to] = useState(() => status.value?.event_time ?? Date.now());
  const [cursors, setCursors] = useState<string[]>([]);
  const changes = useResource<Changes>(
    apiPath('/inventory/changes', { from: Math.max(0, to - hours * HOUR_MS), to, limit: 100, cursor: cursors.at(-1) }),
    true,
  );
  const page = changes.data;
  return (
    <>
      <div class="heading">
        <h1>Changes</h1>
      </div>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <label>
          Within{' '}
          <select
            value={hours}
            onChange={(event) => {
              setCursors([]);
              go(withQuery({ hours: event.currentTarget.value }));
            }}
          >
            {SPANS.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </form>
      {changes.error && <Failure error={changes.error} retry={changes.reload} />}
      {!page && !changes.error && <Loading lines={8} />}
      {page && (
        <>
          <ChangeList rows={page.rows} withDevice />
          <p>
            {cursors.length > 0 && (
              <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>
                Newer
              </button>
            )}{' '}
            {page.next !== null && (
              <button type="button" onClick={() => setCursors([...cursors, page.next ?? ''])}>
                Older
              </button>
            )}
          </p>
        </>
      )}
    </>
  );
}
