/** Talks to the API of the same origin. */
import { visibly } from './format.ts';

/** A request that failed, in words for the reader; `status` 0 means that no answer came. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;
  readonly remedy: string | undefined;
  constructor(status: number, message: string, remedy?: string) {
    super(message);
    this.status = status;
    this.remedy = remedy;
  }
}

export type Query = Record<string, string | number | undefined>;

/** `path` below /api/v1 with the parameters that have a value. */
export function apiPath(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return `/api/v1${path}${text ? `?${text}` : ''}`;
}

/** The JSON body; any failure is a {@link RequestError} made of the problem document. */
export async function getJson<T>(url: string, signal: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { signal, headers: { accept: 'application/json' } });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new RequestError(
      0,
      'Wardwatch does not answer.',
      'Check that it is running and that this machine can reach it.',
    );
  }
  const body = await response
    .text()
    .then((text): unknown => JSON.parse(text, visibly))
    .catch(() => undefined);
  signal.throwIfAborted();
  if (response.ok && body !== undefined) return body as T;
  const problem = (body ?? {}) as { detail?: unknown; remedy?: unknown };
  throw new RequestError(
    response.status,
    typeof problem.detail === 'string' ? problem.detail : `The request failed with status ${response.status}.`,
    typeof problem.remedy === 'string' ? problem.remedy : undefined,
  );
}
