import { formatCount, severityName } from '../format.ts';
import { time } from '../site.ts';
import { Link } from './link.tsx';

interface BarsProps {
  /** What is counted, for those who do not see the picture. */
  label: string;
  /** Epoch milliseconds at which the first span begins. */
  from: number;
  stepMs: number;
  slots: number;
  rows: readonly { start: number; by_severity: Record<string, number> }[];
  /** The list behind a span. */
  listOf: (start: number, end: number) => string;
}

const WIDTH = 720;
const HEIGHT = 150;
const FOOT = 20;
const LEFT = 36;
/** From the bottom of a bar to its top. */
const ORDER = [1, 2, 3, 4, 5];

const sum = (bySeverity: Record<string, number>): number => Object.values(bySeverity).reduce((a, b) => a + b, 0);

/** Counts over time as bars of severities, and the same as a table. */
export function Bars({ label, from, stepMs, slots, rows, listOf }: BarsProps) {
  const most = rows.reduce((max, row) => Math.max(max, sum(row.by_severity)), 0);
  const all = rows.reduce((n, row) => n + sum(row.by_severity), 0);
  const width = (WIDTH - LEFT) / slots;
  const room = HEIGHT - FOOT - 8;
  const y = (n: number): number => HEIGHT - FOOT - (most === 0 ? 0 : (n / most) * room);
  const to = from + slots * stepMs;
  const whole = time.value;
  const isLong = to - from > 2 * 86_400_000;
  const when = (ms: number): string => (isLong ? whole.day(ms) : whole.clock(ms).slice(0, 5));
  return (
    <figure class="bars">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${label}: ${formatCount(all)} from ${whole.full(from)} to ${whole.full(to)}, at most ${formatCount(most)} at once; see the table`}
      >
        <line x1={LEFT} x2={WIDTH} y1={HEIGHT - FOOT} y2={HEIGHT - FOOT} class="axis" />
        <text x={LEFT - 6} y={HEIGHT - FOOT} text-anchor="end">
          0
        </text>
        {most > 0 && (
          <text x={LEFT - 6} y={16} text-anchor="end">
            {formatCount(most)}
          </text>
        )}
        {rows.map((row) => {
          let below = 0;
          const x = LEFT + Math.round((row.start - from) / stepMs) * width;
          return (
            <g key={row.start}>
              <title>{`${whole.full(row.start)}: ${formatCount(sum(row.by_severity))}`}</title>
              {ORDER.map((id) => {
                const n = row.by_severity[String(id)] ?? 0;
                if (n === 0) return null;
                const top = y(below + n);
                const height = y(below) - top;
                below += n;
                return (
                  <rect
                    key={id}
                    x={x + 1}
                    y={top}
                    width={Math.max(1, width - 2)}
                    height={height}
                    class={`bar bar-${severityName(id)}`}
                  />
                );
              })}
            </g>
          );
        })}
        {[0, 0.5, 1].map((part) => (
          <text
            key={part}
            x={LEFT + part * (WIDTH - LEFT)}
            y={HEIGHT - 5}
            text-anchor={part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}
          >
            {when(from + part * (to - from))}
          </text>
        ))}
      </svg>
      <figcaption>
        <details>
          <summary>As a table</summary>
          {rows.length === 0 ? (
            <p class="muted">None in this time.</p>
          ) : (
            <div class="scroll bars-table" role="region" aria-label={`${label}, as a table`} tabIndex={0}>
              <table class="grid">
                <thead>
                  <tr>
                    <th scope="col">
                      From <span class="muted">{whole.zone}</span>
                    </th>
                    {ORDER.toReversed().map((id) => (
                      <th scope="col" class="number" key={id}>
                        {severityName(id)}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={row.start}>
                      <th scope="row">
                        <Link to={listOf(row.start, row.start + stepMs)}>{whole.full(row.start)}</Link>
                      </th>
                      {ORDER.toReversed().map((id) => (
                        <td class="number" key={id}>
                          {formatCount(row.by_severity[String(id)] ?? 0)}
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </details>
      </figcaption>
    </figure>
  );
}
