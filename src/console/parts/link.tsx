import type { ComponentChildren } from 'preact';
import { go } from '../router.ts';

interface LinkProps {
  to: string;
  children: ComponentChildren;
  class?: string;
  current?: boolean;
  /** A row of a list that `j` and `k` stop at; the text is its id, for finding the place again. */
  row?: string;
  label?: string;
}

/** A real link that changes the page without loading it; with a modifier key the browser has it. */
export function Link({ to, children, class: className, current, row, label }: LinkProps) {
  return (
    <a
      href={to}
      class={className}
      aria-current={current ? 'page' : undefined}
      aria-label={label}
      data-row={row}
      onClick={(event) => {
        if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}
