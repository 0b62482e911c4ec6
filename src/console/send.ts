/** Requests that change something. */
import type { TriageBody } from '../api/schemas-triage.ts';
import { RequestError } from './api.ts';
import { visibly } from './format.ts';

/** A change that was refused; with a stale edit `current` is what somebody else has made of the alert meanwhile. */
export class SendError extends RequestError {
  readonly current: TriageBody | undefined;
  constructor(status: number, message: string, remedy: string | undefined, current: TriageBody | undefined) {
    super(status, message, remedy);
    this.current = current;
  }
}

/** The JSON answer; fails with a {@link SendError}. The extra header is one that a page elsewhere cannot send. */
export async function send<T>(
  method: 'POST' | 'PATCH' | 'DELETE',
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        'x-wardwatch': '1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new SendError(0, 'Wardwatch does not answer; nothing was changed.', 'Try again when it is back.', undefined);
  }
  const answer = await response
    .text()
    .then((text): unknown => (text === '' ? {} : JSON.parse(text, visibly)))
    .catch(() => undefined);
  if (response.ok && answer !== undefined) return answer as T;
  const problem = (answer ?? {}) as { detail?: unknown; remedy?: unknown; current?: unknown };
  throw new SendError(
    response.status,
    typeof problem.detail === 'string' ? problem.detail : `The request failed with status ${response.status}.`,
    typeof problem.remedy === 'string' ? problem.remedy : undefined,
    problem.current as TriageBody | undefined,
  );
}
