import type { ScopeBody } from '../../api/schemas-triage.ts';
import { time } from '../site.ts';

export type Daily = NonNullable<ScopeBody['daily']>;

const DEFAULT_FROM = 22 * 60;
const DEFAULT_TO = 6 * 60;

/** Minute of the day as `06:30`. */
export const clockOf = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

const minuteOf = (clock: string): number | undefined => {
  const match = /^(\d{2}):(\d{2})$/.exec(clock);
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2]);
};

/** A time of the day in the zone of the site, which may go over midnight; undefined for the whole day. */
export function DailyFields({ daily, change }: { daily: Daily | undefined; change: (daily?: Daily) => void }) {
  const { zone } = time.value;
  const set = (part: 'from' | 'to', clock: string): void => {
    const minute = minuteOf(clock);
    if (daily !== undefined && minute !== undefined) change({ ...daily, [part]: minute });
  };
  return (
    <fieldset class="daily">
      <legend>Time of the day</legend>
      <label>
        <input
          type="checkbox"
          checked={daily !== undefined}
          onChange={(event) =>
            change(event.currentTarget.checked ? { from: DEFAULT_FROM, to: DEFAULT_TO, zone } : undefined)
          }
        />{' '}
        only at a time of the day
      </label>
      {daily !== undefined && (
        <>
          <label>
            from{' '}
            <input
              type="time"
              required
              value={clockOf(daily.from)}
              onInput={(event) => set('from', event.currentTarget.value)}
            />
          </label>
          <label>
            to{' '}
            <input
              type="time"
              required
              value={clockOf(daily.to)}
              onInput={(event) => set('to', event.currentTarget.value)}
            />
          </label>
          <span class="muted">
            {daily.zone}
            {daily.to < daily.from && ', over midnight'}
          </span>
        </>
      )}
    </fieldset>
  );
}
