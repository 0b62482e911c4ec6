import { signal } from '@preact/signals';
import { getQuietly } from './api.ts';
import { visibly } from './format.ts';
import { checkSession, onSignedIn } from './session.ts';
import type { TriageEvent } from '../api/schemas-triage.ts';
import type { AlertEvent, DeviceEvent, Overview, StatusEvent } from '../api/schemas.ts';

/** `lost` after the stream broke; the browser tries again by itself. */
export const connection = signal<'connecting' | 'open' | 'lost'>('connecting');
/** When the last word of the server came, epoch milliseconds of this machine. */
export const lastHeard = signal(0);
export const status = signal<StatusEvent | undefined>(undefined);
export const overview = signal<Overview | undefined>(undefined);
/** Grows when something was missed and everything shown should be loaded again. */
export const missedSomething = signal(0);

type Listener<T> = (event: T) => void;
const alertListeners = new Set<Listener<AlertEvent>>();
const deviceListeners = new Set<Listener<DeviceEvent>>();

function listen<T>(listeners: Set<Listener<T>>, listener: Listener<T>): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
export const onAlert = (listener: Listener<AlertEvent>): (() => void) => listen(alertListeners, listener);
const triageListeners = new Set<Listener<TriageEvent>>();
export const onTriage = (listener: Listener<TriageEvent>): (() => void) => listen(triageListeners, listener);
export const onDevice = (listener: Listener<DeviceEvent>): (() => void) => listen(deviceListeners, listener);

async function loadOverview(): Promise<void> {
  try {
    const answer = await getQuietly<Overview>('/api/v1/overview', AbortSignal.timeout(10_000));
    overview.value = answer;
    status.value ??= answer.status;
  } catch {
    // The event stream shows that the server is away; this is asked again when it is back.
  }
}

const REOPEN_MS = 5000;
/** Counts change with every alert, and are asked for at most this often. */
const OVERVIEW_MS = 2000;

/** Opens the event stream as soon as somebody is signed in, and keeps it open. Called once by main. */
export function startLive(): void {
  let overviewDue = false;
  let current: EventSource | undefined;

  function overviewSoon(): void {
    if (overviewDue) return;
    overviewDue = true;
    setTimeout(() => {
      overviewDue = false;
      void loadOverview();
    }, OVERVIEW_MS);
  }

  async function reopen(): Promise<void> {
    // Without a session the next sign-in opens it.
    if (!(await checkSession())) return;
    open();
    missedSomething.value++;
  }

  function open(): void {
    current?.close();
    const stream = new EventSource('/api/v1/events');
    current = stream;
    const on = <T>(name: string, take: (body: T) => void): void => {
      stream.addEventListener(name, (event: MessageEvent<string>) => {
        lastHeard.value = Date.now();
        take(JSON.parse(event.data, visibly) as T);
      });
    };
    stream.addEventListener('open', () => {
      connection.value = 'open';
      lastHeard.value = Date.now();
      void loadOverview();
    });
    stream.addEventListener('error', () => {
      connection.value = 'lost';
      // A refusal (401, 429, 503) closes for good, unlike a broken connection.
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => void reopen(), REOPEN_MS);
    });
    on<StatusEvent>('status', (body) => {
      status.value = body;
    });
    on<AlertEvent>('alert', (body) => {
      overviewSoon();
      for (const listener of alertListeners) listener(body);
    });
    on<DeviceEvent>('device', (body) => {
      if (body.change === 'created') overviewSoon();
      for (const listener of deviceListeners) listener(body);
    });
    on<TriageEvent>('triage', (body) => {
      overviewSoon();
      for (const listener of triageListeners) listener(body);
    });
    on('reset', () => {
      missedSomething.value++;
    });
  }
  onSignedIn(() => {
    const again = current !== undefined;
    // At once, for the time zone of all that is shown.
    void loadOverview();
    open();
    if (again) missedSomething.value++;
  });
}
