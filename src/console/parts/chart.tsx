import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { formatCount, formatValue } from '../format.ts';
import { time } from '../site.ts';
import { theme } from '../theme.ts';

interface ChartProps {
  label: string;
  /** Epoch seconds, ascending. */
  x: number[];
  /** null where nothing was seen. */
  y: (number | null)[];
  /** Epoch seconds at which alerts were raised. */
  marks: number[];
  /** Between which values the measure usually is. */
  band: readonly [low: number, high: number] | undefined;
}

type Colours = [string, string, string, string, string];

const HEIGHT = 190;
const DAY_S = 86_400;

/** One measure of a device over time, with the alerts as upright lines. */
export function Chart({ label, x, y, marks, band }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const [scheme, setScheme] = useState(0);

  useEffect(() => {
    const media = matchMedia('(prefers-color-scheme: dark)');
    const onChange = (): void => setScheme((n) => n + 1);
    media.addEventListener('change', onChange);
    return () => media.removeEventListener('change', onChange);
  }, []);

  useEffect(() => {
    const host = box.current;
    if (!host) return;
    // The canvas needs colours as values: they are read off elements that carry them.
    const colour = (name: string): string => {
      const probe = document.createElement('span');
      probe.className = `colour-${name}`;
      host.append(probe);
      const value = getComputedStyle(probe).color;
      probe.remove();
      return value;
    };
    const [line, mark, muted, rule, usual] = ['line', 'mark', 'muted', 'rule', 'usual'].map(colour) as Colours;
    const axis = { stroke: muted, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 } };
    const chart = new uPlot(
      {
        width: host.clientWidth,
        height: HEIGHT,
        // Room for half of the last label.
        padding: [null, 30, null, null],
        tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), time.value.zone),
        cursor: { drag: { x: true, y: false } },
        scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
        axes: [
          {
            ...axis,
            values: (_u, splits, _axis, _space, step) =>
              splits.map((ts) =>
                step >= DAY_S ? time.value.day(ts * 1000) : time.value.clock(ts * 1000).slice(0, step < 60 ? 8 : 5),
              ),
          },
          { ...axis, size: 64, values: (_u, splits) => splits.map((value) => formatValue(value)) },
        ],
        series: [
          { label: 'Time', value: (_u, ts: number | null) => (ts === null ? '–' : time.value.full(ts * 1000)) },
          {
            label,
            stroke: line,
            width: 1.5,
            points: { show: x.length < 60, size: 5 },
            value: (_u, value: number | null) => (value === null ? '–' : formatValue(value)),
          },
        ],
        hooks: {
          // Below the lines and the grid.
          drawClear: [
            (u) => {
              if (band === undefined) return;
              const bottom = Math.min(u.valToPos(band[0], 'y', true), u.bbox.top + u.bbox.height);
              const top = Math.max(u.valToPos(band[1], 'y', true), u.bbox.top);
              u.ctx.save();
              u.ctx.fillStyle = usual;
              u.ctx.fillRect(u.bbox.left, top, u.bbox.width, Math.max(2 * devicePixelRatio, bottom - top));
              u.ctx.restore();
            },
          ],
          draw: [
            (u) => {
              u.ctx.save();
              u.ctx.strokeStyle = mark;
              u.ctx.lineWidth = devicePixelRatio * 1.5;
              u.ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
              for (const ts of marks) {
                const at = u.valToPos(ts, 'x', true);
                if (at < u.bbox.left || at > u.bbox.left + u.bbox.width) continue;
                u.ctx.beginPath();
                u.ctx.moveTo(at, u.bbox.top);
                u.ctx.lineTo(at, u.bbox.top + u.bbox.height);
                u.ctx.stroke();
              }
              u.ctx.restore();
            },
          ],
        },
      },
      [x, y],
      host,
    );
    const observer = new ResizeObserver(() => chart.setSize({ width: host.clientWidth, height: HEIGHT }));
    observer.observe(host);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [label, x, y, marks, band, theme.value, scheme, time.value]);

  const seen = y.filter((value) => value !== null);
  const most = seen.reduce((a, b) => Math.max(a, b), 0);
  return (
    <div
      ref={box}
      class="chart"
      role="img"
      aria-label={`${label}: ${formatCount(seen.length)} windows, at most ${formatValue(most)}, ${marks.length} alerts${
        band === undefined ? '' : `, usually ${formatValue(band[0])} to ${formatValue(band[1])}`
      }`}
    />
  );
}
