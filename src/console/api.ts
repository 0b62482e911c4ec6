/** Talks to the API of the same origin. */
import { signal } from '@preact/signals';
import { visibly } from './format.ts';

/** Grows when the server no longer knows who asks: the session has ended. */
export const unknownHere = signal(0);

/** A request that failed, in words for the reader; `status` 0 means that no answer came. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;
  readonly remedy: string | undefined;
  /** Last part of the problem's type, such as `not-found`; empty where there is none. */
  readonly kind: string;
  constructor(status: number, message: string, remedy?: string, kind = '') {
    super(message);
    this.status = status;
    this.remedy = remedy;
    this.kind = kind;
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
  return (await ask(url, { signal, headers: { 'x-wardwatch': 'console' } })) as T;
}

/** The same for what the console asks for by itself: it does not keep a session alive that nobody sits at. */
export async function getQuietly<T>(url: string, signal: AbortSignal): Promise<T> {
  return (await ask(url, { signal, headers: { 'x-wardwatch': 'background' } })) as T;
}

/** Sends `body` as JSON; undefined where the answer has no body. `path` is below /api/v1. */
export async function sendJson<T = void>(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
): Promise<T> {
  return (await ask(apiPath(path), {
    method,
    signal: AbortSignal.timeout(30_000),
    headers: { 'x-wardwatch': 'console', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })) as T;
}

async function ask(
  url: string,
  {
    headers,
    signal: abort,
    ...init
  }: Omit<RequestInit, 'headers'> & { signal: AbortSignal; headers: Record<string, string> },
): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: abort, headers: { accept: 'application/json', ...headers } });
  } catch (error) {
    if (abort.aborted) throw error;
    throw new RequestError(
      0,
      'Wardwatch does not answer.',
      'Check that it is running and that this machine can reach it.',
    );
  }
  if (response.status === 204) return undefined;
  const body = await response
    .text()
    .then((text): unknown => JSON.parse(text, visibly))
    .catch(() => undefined);
  abort.throwIfAborted();
  if (response.ok && body !== undefined) return body;
  const problem = (body ?? {}) as { type?: unknown; detail?: unknown; remedy?: unknown };
  const kind = typeof problem.type === 'string' ? (problem.type.split(':').at(-1) ?? '') : '';
  if (kind === 'not-signed-in') unknownHere.value++;
  throw new RequestError(
    response.status,
    typeof problem.detail === 'string' ? problem.detail : `The request failed with status ${response.status}.`,
    typeof problem.remedy === 'string' ? problem.remedy : undefined,
    kind,
  );
}
