import type { ServerResponse } from 'node:http';
import type { Reporter } from '../kernel/component.ts';
import type { AlertRow, DeviceRow } from '../kernel/rows.ts';
import type { ApiConfig } from './config.ts';
import type { ApiDeps, LiveEvent } from './contract.ts';
import type { TriageEvent } from './schemas-triage.ts';
import type { AlertEvent, AlertSummary, DeviceEvent, DeviceSummary, StatusEvent } from './schemas.ts';

/**
 * Server-sent events (WHATWG HTML, section 9.2) for many clients: each event is formatted once, kept in a
 * bounded ring for clients that come back, and written to all. A client that does not read is dropped
 * when its unsent bytes pass the bound, since the sender must never wait for it.
 */
export interface EventHub {
  /** False where the stream cannot be taken because there are as many as allowed. */
  hasRoom(): boolean;
  /** Takes the response over: writes the head, replays what came after `lastEventId`, then lives on. */
  open(
    response: ServerResponse,
    headers: Record<string, string>,
    lastEventId: string | undefined,
    watcher: Watcher,
  ): void;
  clients(): number;
  close(): void;
}

/** Who looks on. */
export interface Watcher {
  /** VLANs that may be seen; undefined for all. */
  readonly vlans: readonly string[] | undefined;
  /** Whether the session or token still holds; asked with every heartbeat. */
  lives(): boolean;
}

/** An event as it is sent, with the VLAN that it tells of; what people do is told to others by its number alone. */
interface Framed {
  readonly text: string;
  readonly vlan: string | undefined;
  readonly withoutUids: string;
}

type HubConfig = Pick<ApiConfig, 'max_event_clients' | 'event_history' | 'event_buffer_bytes' | 'heartbeat_seconds'>;
type HubDeps = Pick<ApiDeps, 'subscribe' | 'status'> & { reporter: Reporter };

function summaryOfAlert(row: AlertRow): AlertSummary {
  const { ocsf: _ocsf, ...summary } = row;
  return summary;
}

function summaryOfDevice(row: DeviceRow): DeviceSummary {
  const { ocsf: _ocsf, fields: _fields, ...summary } = row;
  return summary;
}

/** `body` is JSON, which has no raw line breaks, so one `data` line holds it. */
function frame(event: string, body: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(body)}\n\n`;
}

/** `boot` tells the ids of this start from those of an earlier one. */
export function createEventHub(config: HubConfig, deps: HubDeps, boot: string): EventHub {
  const ring: Framed[] = [];
  let sequence = 0;
  const clients = new Map<ServerResponse, Watcher>();

  const forWatcher = ({ text, vlan, withoutUids }: Framed, { vlans }: Watcher): string => {
    if (vlans === undefined) return text;
    return vlan === undefined ? withoutUids : vlans.includes(vlan) ? text : '';
  };

  function send(client: ServerResponse, text: string): void {
    if (text === '') return;
    client.write(text);
    if (client.writableLength > config.event_buffer_bytes) {
      clients.delete(client);
      client.destroy();
      deps.reporter.dropped('event_clients', 1, 'slow');
    }
  }

  function publish(event: LiveEvent): void {
    let framed: Framed;
    if (event.type === 'status') {
      // The next status replaces this one, so it is not worth a place in the ring.
      const text = frame('status', event.status satisfies StatusEvent);
      framed = { text, vlan: undefined, withoutUids: text };
    } else {
      sequence++;
      const body: AlertEvent | DeviceEvent | TriageEvent =
        event.type === 'triage'
          ? { uids: event.uids, total: event.total }
          : event.type === 'alert'
            ? { change: event.change, alert: summaryOfAlert(event.row) }
            : { change: event.change, device: summaryOfDevice(event.row) };
      const id = `${boot}-${sequence}`;
      const text = frame(event.type, body, id);
      framed =
        event.type === 'triage'
          ? { text, vlan: undefined, withoutUids: frame('triage', { uids: [], total: event.total }, id) }
          : { text, vlan: event.row.vlan, withoutUids: '' };
      ring.push(framed);
      if (ring.length > config.event_history) ring.shift();
    }
    for (const [client, watcher] of clients) send(client, forWatcher(framed, watcher));
  }

  /** Frames after `lastEventId`, or undefined where they are not all there. */
  function missed(lastEventId: string): Framed[] | undefined {
    const match = /^([a-z0-9]+)-(\d{1,15})$/.exec(lastEventId);
    if (!match || match[1] !== boot) return undefined;
    const seen = Number(match[2]);
    const oldest = sequence - ring.length;
    if (seen < oldest || seen > sequence) return undefined;
    return ring.slice(seen - oldest);
  }

  const unsubscribe = deps.subscribe(publish);
  const heartbeat = setInterval(() => {
    for (const [client, watcher] of clients) {
      // An ended session ends what it has opened.
      if (watcher.lives()) send(client, ': still here\n\n');
      else client.end();
    }
  }, config.heartbeat_seconds * 1000);
  heartbeat.unref();

  return {
    hasRoom: () => clients.size < config.max_event_clients,
    clients: () => clients.size,
    open(response, headers, lastEventId, watcher) {
      response.writeHead(200, {
        ...headers,
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        // Or the connection would outlive the stream, and a server that stops would wait for it.
        connection: 'close',
        // For nginx in front, which would otherwise hold events back.
        'x-accel-buffering': 'no',
      });
      clients.set(response, watcher);
      deps.reporter.gauge('event_clients', clients.size);
      response.on('close', () => {
        clients.delete(response);
        deps.reporter.gauge('event_clients', clients.size);
      });
      response.on('error', () => response.destroy());
      let opening = 'retry: 3000\n\n';
      if (lastEventId !== undefined) {
        const replay = missed(lastEventId);
        // `reset` tells the client that it missed something and has to load its lists again.
        opening += replay ? replay.map((framed) => forWatcher(framed, watcher)).join('') : frame('reset', {});
      }
      // The id lets a client that has seen no event yet come back without a gap.
      send(response, opening + frame('status', deps.status(), `${boot}-${sequence}`));
    },
    close() {
      unsubscribe();
      clearInterval(heartbeat);
      for (const client of clients.keys()) client.end();
      clients.clear();
    },
  };
}
