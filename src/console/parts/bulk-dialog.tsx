import { useEffect, useRef, useState } from 'preact/hooks';
import type { EditBody, QueuePage, QueueRow, RuleBody, RulePreview, ScopeBody } from '../../api/schemas-triage.ts';
import { apiPath, getJson, RequestError } from '../api.ts';
import { formatCount, severityName } from '../format.ts';
import { send } from '../send.ts';
import { changedHere, edit as editOne, ME, tell, undoRule } from '../triage.ts';
import { RESOLUTIONS } from './act-dialog.tsx';

export type BulkAct = 'assign' | 'close' | 'learn' | 'mute';

/** Which alerts: those that were marked, or all that the filter of the queue finds. */
export type BulkTarget =
  | { readonly kind: 'selection'; readonly rows: readonly QueueRow[] }
  | { readonly kind: 'filter'; readonly filter: Readonly<Record<string, unknown>>; readonly total: number };

const TITLES: Record<BulkAct, string> = { assign: 'Assign', close: 'Close', learn: 'Learn', mute: 'Mute' };
const EXPLAIN: Record<BulkAct, string> = {
  assign: 'They are somebody’s work from now on.',
  close: 'Dealt with. What happens again is a new alert.',
  learn: 'This is normal now: one rule for each device and detector among them. Nothing like it is reported again.',
  mute: 'Hide them and learn nothing: one rule for each device and detector among them.',
};
/** More rules at once nobody can look over. */
const MOST_RULES = 25;
const PAGE_ROWS = 500;
const LOOK_MS = 30_000;

interface Plan {
  readonly scope: ScopeBody;
  readonly preview: RulePreview;
}

const alertsText = (n: number): string => `${formatCount(n)} alert${n === 1 ? '' : 's'}`;

/** A scope names the only detector: an alert that several have raised cannot be met by one. */
const isOfSeveral = (row: QueueRow): boolean => row.detectors.length > 1;

/** Device and detector of each alert that a scope can meet, every pair once. */
function scopesOf(rows: readonly QueueRow[]): ScopeBody[] {
  const pairs = new Map<string, ScopeBody>();
  for (const { device, detector } of rows.filter((row) => !isOfSeveral(row)))
    pairs.set(JSON.stringify([device, detector]), { device, detector });
  return [...pairs.values()];
}

async function rowsOf(target: BulkTarget): Promise<readonly QueueRow[]> {
  if (target.kind === 'selection') return target.rows;
  const rows: QueueRow[] = [];
  let cursor: string | undefined;
  do {
    const query = { ...(target.filter as Record<string, string | number>), sort: 'time', limit: PAGE_ROWS, cursor };
    const page: QueuePage = await getJson<QueuePage>(apiPath('/queue', query), AbortSignal.timeout(LOOK_MS));
    rows.push(...page.rows);
    cursor = page.next ?? undefined;
    if (scopesOf(rows).length > MOST_RULES) break;
  } while (cursor !== undefined);
  return rows;
}

/** What rules for these alerts would have done; undefined where there would be too many of them. */
async function planOf(target: BulkTarget): Promise<{ plans: Plan[]; without: number } | undefined> {
  const rows = await rowsOf(target);
  const scopes = scopesOf(rows);
  if (scopes.length > MOST_RULES) return undefined;
  const plans: Plan[] = [];
  for (const scope of scopes)
    plans.push({ scope, preview: await send<RulePreview>('POST', apiPath('/rules/preview'), { scope }) });
  return { plans, without: rows.filter(isOfSeveral).length };
}

const toFailure = (error: unknown): RequestError =>
  error instanceof RequestError ? error : new RequestError(0, 'The console failed to do it.');

/** One decision about many alerts. Says how many before anything happens; another number then changes nothing. */
export function BulkDialog({
  act,
  target,
  close,
  done,
}: {
  act: BulkAct;
  target: BulkTarget;
  close: () => void;
  done: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState('');
  const [assignee, setAssignee] = useState('');
  const [resolution, setResolution] = useState<(typeof RESOLUTIONS)[number][0]>(
    act === 'close' ? 'true_positive' : 'benign',
  );
  /** null: there would be too many rules. */
  const [plans, setPlans] = useState<readonly Plan[] | null | undefined>();
  /** Alerts that no rule can be made for. */
  const [without, setWithout] = useState(0);
  const [failure, setFailure] = useState<RequestError | undefined>();
  const [busy, setBusy] = useState(false);
  const isRule = act === 'learn' || act === 'mute';
  const count = target.kind === 'selection' ? target.rows.length : target.total;
  const open = (plans ?? []).reduce((sum, { preview }) => sum + preview.open, 0);
  const grave = (plans ?? []).reduce((sum, { preview }) => sum + (preview.by_severity['5'] ?? 0), 0);

  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    if (!isRule) return;
    let current = true;
    planOf(target).then(
      (found) => {
        if (!current) return;
        setPlans(found?.plans ?? null);
        setWithout(found?.without ?? 0);
      },
      (error: unknown) => current && setFailure(toFailure(error)),
    );
    return () => {
      current = false;
    };
  }, []);

  async function change(edit: EditBody, words: string): Promise<void> {
    if (target.kind === 'filter') {
      const { filter, total } = target;
      const answer = await send<{ count: number }>('POST', apiPath('/queue/bulk'), { filter, expected: total, edit });
      tell(`${alertsText(answer.count)} ${words}.`);
      changedHere.value++;
      return;
    }
    let changed = 0;
    try {
      for (const row of target.rows) {
        await editOne(row.triage, edit);
        changed++;
      }
    } finally {
      if (changed > 0) tell(`${alertsText(changed)} ${words}.`);
    }
  }
  async function makeRules(found: readonly Plan[]): Promise<void> {
    const rules: RuleBody[] = [];
    try {
      for (const { scope, preview } of found)
        rules.push(
          await send<RuleBody>('POST', apiPath('/rules'), { act, scope, reason, resolution, expected: preview.open }),
        );
    } finally {
      if (rules.length > 0) {
        changedHere.value++;
        const acted = rules.reduce((sum, rule) => sum + rule.matches, 0);
        tell(`${TITLES[act]}: ${alertsText(acted)}, ${formatCount(rules.length)} rules.`, async () => {
          for (const rule of rules) await undoRule(rule);
        });
      }
    }
  }
  async function apply(): Promise<void> {
    setBusy(true);
    setFailure(undefined);
    try {
      if (act === 'assign') {
        const name = assignee.trim();
        await change({ assignee: name }, name === '' ? 'are nobody’s now' : 'assigned');
      } else if (act === 'close') await change({ state: 'resolved', resolution, note: reason }, 'closed');
      else await makeRules(plans ?? []);
      dialog.current?.close();
      done();
    } catch (error) {
      setFailure(toFailure(error));
    } finally {
      setBusy(false);
    }
  }
  const ready = !busy && (act === 'assign' || reason.trim() !== '') && (!isRule || (plans?.length ?? 0) > 0);
  return (
    <dialog ref={dialog} class="act" onClose={close} aria-labelledby="bulk-title">
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) void apply();
        }}
      >
        <h2 id="bulk-title">
          {TITLES[act]} {alertsText(count)}
        </h2>
        <p class="muted">
          {target.kind === 'filter' && 'All that the filters find, also on other pages. '}
          {EXPLAIN[act]}
        </p>
        {act === 'assign' && (
          <label class="field">
            Assign to
            <span class="with-button">
              <input
                value={assignee === ME ? 'me' : assignee}
                maxLength={64}
                autoFocus
                placeholder="name; empty for nobody"
                onInput={(event) => setAssignee(event.currentTarget.value)}
              />
              <button type="button" onClick={() => setAssignee(ME)}>
                Me
              </button>
            </span>
          </label>
        )}
        {act === 'close' && (
          <label class="field">
            Resolution
            <select
              value={resolution}
              onChange={(event) => setResolution(event.currentTarget.value as typeof resolution)}
            >
              {RESOLUTIONS.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        )}
        {act !== 'assign' && (
          <label class="field">
            Reason
            <input
              value={reason}
              maxLength={1000}
              required
              autoFocus
              placeholder="for whoever asks in half a year"
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </label>
        )}
        {isRule && (
          <div class="preview" aria-live="polite">
            {plans === null ? (
              <p>
                These are of more than {MOST_RULES} devices and detectors. Narrow the filters, or make a rule for a
                class of devices from one of them.
              </p>
            ) : plans === undefined ? (
              <p class="muted">Looking at the last 30 days…</p>
            ) : (
              <p>
                <strong>
                  {formatCount(plans.length)} rule{plans.length === 1 ? '' : 's'}, {alertsText(open)} open now
                </strong>
                {open > count && ' (more than were chosen: they are of the same kinds)'}
                {grave > 0 && `; ${formatCount(grave)} of the last 30 days were ${severityName(5)}`}.
              </p>
            )}
            {without > 0 && (
              <p>
                Without {alertsText(without)} that several detectors have raised: a rule is about one. Decide about each
                of these.
              </p>
            )}
          </div>
        )}
        {failure && (
          <div class="notice notice-bad" role="alert">
            <strong>{failure.message}</strong> {failure.remedy}
          </div>
        )}
        <div class="dialog-foot">
          <button type="submit" class="primary" disabled={!ready}>
            {TITLES[act]} {alertsText(isRule && plans ? open : count)}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}
