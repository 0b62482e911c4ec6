import type { ComponentChildren } from 'preact';
import type { RequestError } from '../api.ts';
import { Link } from './link.tsx';

/** Grey lines in place of rows while the first answer is under way. */
export function Loading({ lines = 6 }: { lines?: number }) {
  return (
    <div class="loading" role="status">
      <span class="visually-hidden">Loading…</span>
      {Array.from({ length: lines }, (_, i) => (
        <div class="loading-line" key={i} />
      ))}
    </div>
  );
}

export function Failure({ error, retry }: { error: RequestError; retry: () => void }) {
  return (
    <div class="notice notice-bad" role="alert">
      <strong>{error.message}</strong>
      {error.remedy && <p>{error.remedy}</p>}
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

/** `whole`: it stands for the whole page, so its title is that of the page. */
export function Empty({ title, whole, children }: { title: string; whole?: boolean; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <svg viewBox="0 0 48 24" width="72" height="36" aria-hidden="true">
        <path
          d="M1 13h14l3-6 5 12 4-9 2 3h18"
          fill="none"
          stroke="currentColor"
          stroke-width="2"
          stroke-linejoin="round"
        />
      </svg>
      {whole ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

export function Missing({ what, back, backText }: { what: string; back: string; backText: string }) {
  return (
    <Empty title={`There is no such ${what}`} whole>
      <p>It may have aged out, or the link is incomplete.</p>
      <p>
        <Link to={back}>{backText}</Link>
      </p>
    </Empty>
  );
}
