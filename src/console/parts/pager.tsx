import { formatCount } from '../format.ts';

interface PagerProps {
  /** Rows before this page. */
  before: number;
  shown: number;
  total: number;
  hasNext: boolean;
  onBack: () => void;
  onNext: () => void;
}

export function Pager({ before, shown, total, hasNext, onBack, onNext }: PagerProps) {
  if (total === 0) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <span>
        {formatCount(before + 1)} to {formatCount(before + shown)} of {formatCount(total)}
      </span>
      {(before > 0 || hasNext) && (
        <>
          <button type="button" onClick={onBack} disabled={before === 0}>
            ‹ Back
          </button>
          <button type="button" onClick={onNext} disabled={!hasNext}>
            Next ›
          </button>
        </>
      )}
    </nav>
  );
}
