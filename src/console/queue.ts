/** Where the reader is in the queue of alerts; outlives the page, so that going back finds the place. */
import { signal } from '@preact/signals';

interface Place {
  /** Path with filters. */
  path: string;
  /** Cursors of the pages up to the current one, without the first page's. */
  cursors: string[];
  /** Rows before the current page. */
  before: number;
  /** Uids of the rows on the current page, for `j` and `k` on an alert. */
  uids: string[];
  /** Uid to put the focus on when the queue is shown again. */
  focus: string | undefined;
}

const start = (path: string): Place => ({ path, cursors: [], before: 0, uids: [], focus: undefined });

export const place = signal<Place>(start('/alerts'));

/** The place in the queue with the filters of `path`: other filters are another list, from its first page. */
export const placeAt = (path: string): Place => (place.value.path === path ? place.value : start(path));

export function changePlace(path: string, changes: Partial<Omit<Place, 'path'>>): void {
  place.value = { ...placeAt(path), ...changes };
}
