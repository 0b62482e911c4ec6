/** So many names are remembered to tell new alerts from changed ones; older ones count as new again. */
const MAX_REMEMBERED = 100_000;

/** Adds a name, and forgets the oldest where there are too many. */
export function remember(names: Set<string>, name: string): void {
  names.delete(name);
  names.add(name);
  if (names.size > MAX_REMEMBERED)
    for (const oldest of names) {
      names.delete(oldest);
      break;
    }
}
