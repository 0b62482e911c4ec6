import { severityName } from '../format.ts';
import type { SeverityName } from '../format.ts';

/** A shape for each severity, so that colour is never the only sign. */
const SHAPES: Record<SeverityName, string> = {
  critical: 'M5 1h6l4 4v6l-4 4H5l-4-4V5z',
  high: 'M8 1.500 15.500 14.500H.500z',
  medium: 'M8 1l7 7-7 7-7-7z',
  low: 'M8 2.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11z',
  informational: 'M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6z',
  unknown: 'M3 7h10v2H3z',
};

export function SeverityShape({ id }: { id: number }) {
  return (
    <svg class="shape" viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
      <path d={SHAPES[severityName(id)]} fill="currentColor" />
    </svg>
  );
}

export function Severity({ id }: { id: number }) {
  const name = severityName(id);
  return (
    <span class={`severity severity-${name}`}>
      <SeverityShape id={id} />
      {name === 'informational' ? 'info' : name}
    </span>
  );
}
