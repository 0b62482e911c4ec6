import type { DataFlows } from '../../api/schemas-inventory.ts';
import { apiPath } from '../api.ts';
import { formatBytes, formatCount, formatType, formatWords } from '../format.ts';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { go, route, withQuery } from '../router.ts';
import { time } from '../site.ts';

type Row = DataFlows['rows'][number];

const WIDTH = 760;
const ROW = 30;
const MOST_EDGES = 60;

const fromOf = (row: Row): string => formatType(row.type);
const toOf = (row: Row): string => (row.peer_type === '' ? formatWords(row.peer_kind) : formatType(row.peer_type));

/** Who begins on the left, who serves on the right; a dashed line is not encrypted, a thick one carries data of patients. */
function FlowMap({ rows }: { rows: readonly Row[] }) {
  const edges = rows.slice(0, MOST_EDGES);
  const left = [...new Set(edges.map(fromOf))];
  const right = [...new Set(edges.map(toOf))];
  const height = Math.max(left.length, right.length) * ROW + 30;
  const y = (list: string[], name: string): number => 26 + ((list.indexOf(name) + 0.5) * (height - 30)) / list.length;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${height}`} class="flow-map" role="img" aria-label="Data flows: see the table below">
      {edges.map((row, i) => {
        const [a, b] = [y(left, fromOf(row)), y(right, toOf(row))];
        return (
          <path
            key={i}
            d={`M200 ${a}C380 ${a} 380 ${b} 560 ${b}`}
            class={`edge edge-${row.encrypted}${row.phi === 'yes' ? ' edge-phi' : ''}`}
          >
            <title>{`${fromOf(row)} to ${toOf(row)}: ${row.service || row.proto}, encrypted ${row.encrypted}`}</title>
          </path>
        );
      })}
      {left.map((name) => (
        <text key={name} x="194" y={y(left, name) + 4} class="graph-text graph-end">
          {name}
        </text>
      ))}
      {right.map((name) => (
        <text key={name} x="566" y={y(right, name) + 4} class="graph-text">
          {name}
        </text>
      ))}
    </svg>
  );
}

/** Where clinical data flows in the site. */
export function DataFlowsPage() {
  const all = route.value.query.get('all') === '1';
  const flows = useResource<DataFlows>(apiPath('/inventory/data-flows', { clinical: all ? 'false' : 'true' }), true);
  const rows = flows.data?.rows;
  return (
    <>
      <div class="heading">
        <h1>Data flows</h1>
      </div>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <label>
          <input
            type="checkbox"
            checked={all}
            onChange={(event) => go(withQuery({ all: event.currentTarget.checked ? '1' : '' }))}
          />{' '}
          Also what is not clinical
        </label>
        <a
          class="button"
          href={apiPath('/inventory/data-flows', { clinical: all ? 'false' : 'true', format: 'csv' })}
          download
        >
          CSV
        </a>
      </form>
      {flows.error && <Failure error={flows.error} retry={flows.reload} />}
      {!rows && !flows.error && <Loading lines={8} />}
      {rows && rows.length === 0 && <Empty title="No clinical data flow was seen yet" />}
      {rows && rows.length > 0 && (
        <>
          <p class="muted">
            Dashed lines are not encrypted, thick ones carry data of patients{' '}
            {rows.length > MOST_EDGES && `(the first ${MOST_EDGES} of ${formatCount(rows.length)} are drawn)`}
          </p>
          <FlowMap rows={rows} />
          <div class="scroll" role="region" aria-label="Data flows" tabIndex={0}>
            <table class="grid">
              <thead>
                <tr>
                  {['From', 'To', 'Protocol', 'Encrypted', 'Patients', 'Devices', 'Peers', 'Since', 'Traffic'].map(
                    (name) => (
                      <th scope="col" key={name}>
                        {name}
                      </th>
                    ),
                  )}
                </tr>
              </thead>
              <tbody>
                {rows.map((row, i) => (
                  <tr key={i}>
                    <td>{fromOf(row)}</td>
                    <td>{toOf(row)}</td>
                    <td>{row.service || `${row.proto}/${row.port}`}</td>
                    <td>{row.encrypted}</td>
                    <td>{row.phi}</td>
                    <td class="number">{formatCount(row.devices)}</td>
                    <td class="number">{formatCount(row.peers)}</td>
                    <td class="small">{time.value.full(row.first_seen)}</td>
                    <td class="number">{formatBytes(row.bytes)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </>
  );
}
