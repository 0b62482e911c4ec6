import { tame } from '../lib/tame.ts';

export interface Input {
  readonly notes: readonly string[];
  readonly frames: number;
  /** By reason. */
  readonly undecodable: Readonly<Record<string, number>>;
}

/** What a person should know of an input that was read: oddities of the container, frames that say nothing. */
export function remarksOf(input: Input): string[] {
  const remarks = input.notes.map((note) => `note: ${tame(note)}`);
  const reasons = Object.entries(input.undecodable).filter(([, n]) => n > 0);
  const sum = reasons.reduce((all, [, n]) => all + n, 0);
  if (sum > 0) {
    const why = reasons.map(([reason, n]) => `${reason} ${n}`).join(', ');
    const remedy =
      input.undecodable['unknown_link_type'] === undefined
        ? ''
        : '\n  -> `wardwatch inspect FILE` shows its link types; capture where frames are Ethernet';
    remarks.push(`note: ${sum} of ${input.frames} frames could not be decoded (${why})${remedy}`);
  }
  return remarks;
}
