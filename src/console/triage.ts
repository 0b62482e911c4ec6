/** What can be done about alerts, from the queue and from the page of an alert. */
import { signal } from '@preact/signals';
import type { EditBody, RuleBody, TriageBody } from '../api/schemas-triage.ts';
import { apiPath, RequestError } from './api.ts';
import { send } from './send.ts';

/** A line at the foot of the page that says what was done, with a way back where there is one. */
export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly bad: boolean;
  readonly undo?: () => Promise<void>;
}

const SHOWN_MS = 12_000;
let next = 1;
export const toasts = signal<readonly Toast[]>([]);

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function tell(text: string, undo?: () => Promise<void>, bad = false): void {
  const toast: Toast = { id: next++, text, bad, ...(undo === undefined ? {} : { undo }) };
  toasts.value = [...toasts.value.slice(-2), toast];
  // What went wrong stays until it was read.
  if (!bad) setTimeout(() => dismiss(toast.id), SHOWN_MS);
}

/** Takes back the newest thing on screen that can be. */
export function undoLast(): void {
  const toast = toasts.value.findLast((one) => one.undo !== undefined);
  if (toast === undefined) return;
  dismiss(toast.id);
  toast.undo?.().catch(tellFailure);
}

export function tellFailure(error: unknown): void {
  const text = error instanceof RequestError ? [error.message, error.remedy].filter(Boolean).join(' ') : String(error);
  tell(text, undefined, true);
}

/** Grows when something was changed here, so that what is on screen is looked at again. */
export const changedHere = signal(0);

export const triagePath = (uid: string): string => apiPath(`/alerts/${encodeURIComponent(uid)}/triage`);

export async function edit(triage: TriageBody, change: EditBody): Promise<TriageBody> {
  const after = await send<TriageBody>('PATCH', triagePath(triage.uid), change, {
    'if-match': `"${triage.revision}"`,
  });
  changedHere.value++;
  return after;
}

/** Changes an alert and says so, with an undo that puts back what was there. */
export async function editAndTell(triage: TriageBody, change: EditBody, text: string): Promise<TriageBody> {
  const after = await edit(triage, change);
  const before: EditBody = {
    state: triage.state,
    assignee: triage.assignee,
    note: triage.note,
    ...(triage.resolution === '' ? {} : { resolution: triage.resolution }),
  };
  tell(text, async () => {
    await edit(after, before);
  });
  return after;
}

export async function undoRule(rule: RuleBody): Promise<void> {
  await send('POST', apiPath(`/rules/${rule.id}/undo`));
  changedHere.value++;
}

export const ME = '@me';
