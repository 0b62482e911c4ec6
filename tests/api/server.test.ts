import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiServer } from '../../src/api/server.ts';
import type { ApiServer } from '../../src/api/server.ts';
import { ALERTS, BEACON, PUMP } from './rows.ts';
import { openSite, WATCHING } from './site.ts';
import type { Site } from './site.ts';

let site: Site;
let server: ApiServer;

beforeAll(async () => {
  site = await openSite({});
  server = createApiServer(site.config({ event_history: 4, max_event_clients: 3, heartbeat_seconds: 1 }), site.deps);
  await server.start();
});
afterAll(async () => {
  await server.stop();
  await site.close();
});

interface SentEvent {
  id: string | undefined;
  event: string;
  data: unknown;
}

/** Reads server-sent events off a real connection. */
interface Stream {
  response: IncomingMessage;
  next(): Promise<SentEvent>;
  comment(): Promise<string>;
  close(): Promise<void>;
}

async function openStream(lastEventId?: string): Promise<Stream> {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const sent = request(new URL('api/v1/events', server.url()), { headers });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.setEncoding('utf8');
  async function* blocks(): AsyncGenerator<string> {
    let text = '';
    for await (const chunk of response) {
      text += chunk as string;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        yield text.slice(0, end);
        text = text.slice(end + 2);
      }
    }
  }
  const all = blocks();
  async function until(wanted: (block: string) => boolean): Promise<string> {
    for (;;) {
      const { value, done } = await all.next();
      if (done) throw new Error('the stream has ended');
      if (wanted(value)) return value;
    }
  }
  return {
    response,
    async next() {
      const block = await until((text) => text.includes('event: '));
      const line = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      return { id: line('id'), event: line('event') ?? '', data: JSON.parse(line('data') ?? 'null') as unknown };
    },
    comment: () => until((text) => text.startsWith(':')),
    async close() {
      const closed = once(response, 'close');
      response.destroy();
      await closed.catch(() => undefined);
    },
  };
}

describe('live events', () => {
  it('begin with the status and go on with what happens', async () => {
    const stream = await openStream();
    expect(stream.response.statusCode).toBe(200);
    expect(stream.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(stream.response.headers['x-content-type-options']).toBe('nosniff');
    expect(await stream.next()).toMatchObject({ event: 'status', data: WATCHING });

    site.emit({ type: 'alert', change: 'created', row: BEACON });
    const alert = await stream.next();
    expect(alert).toMatchObject({
      event: 'alert',
      data: { change: 'created', alert: { uid: BEACON.uid, title: BEACON.title } },
    });
    expect((alert.data as { alert: object }).alert).not.toHaveProperty('ocsf');

    site.emit({ type: 'device', change: 'updated', row: PUMP });
    const device = await stream.next();
    expect(device).toMatchObject({ event: 'device', data: { change: 'updated', device: { device: PUMP.device } } });
    expect((device.data as { device: object }).device).not.toHaveProperty('fields');

    site.emit({ type: 'status', status: { ...WATCHING, frames: 7 } });
    expect(await stream.next()).toMatchObject({ event: 'status', id: undefined, data: { frames: 7 } });
    await stream.close();
  });

  it('are replayed to a client that comes back, or reset where too much is gone', async () => {
    const first = await openStream();
    const { id } = await first.next();
    await first.close();
    for (const row of ALERTS.slice(0, 3)) site.emit({ type: 'alert', change: 'created', row });

    const back = await openStream(id);
    for (const row of ALERTS.slice(0, 3)) {
      expect(await back.next()).toMatchObject({ event: 'alert', data: { alert: { uid: row.uid } } });
    }
    expect(await back.next()).toMatchObject({ event: 'status' });
    await back.close();

    for (const row of ALERTS.slice(0, 5)) site.emit({ type: 'alert', change: 'updated', row });
    for (const stale of [id, 'otherboot-1', 'nonsense', 'x'.repeat(60)]) {
      const late = await openStream(stale);
      expect((await late.next()).event).toBe('reset');
      await late.close();
    }
  });

  it('stay open over idle time', async () => {
    const stream = await openStream();
    expect(await stream.comment()).toBe(': still here');
    await stream.close();
  });

  it('have a bound of clients', async () => {
    const streams = await Promise.all([openStream(), openStream(), openStream()]);
    const refused = await fetch(new URL('api/v1/events', server.url()));
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ type: 'urn:wardwatch:problem:too-many-streams' });
    await Promise.all(streams.map((stream) => stream.close()));
  });

  it('drop a client that does not read', async () => {
    const { hostname, port } = new URL(server.url());
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    await once(socket, 'readable');
    socket.on('error', () => undefined);
    const row = { ...BEACON, message: 'x'.repeat(60_000) };
    const slow = (): boolean => site.counted.some((one) => one.name === 'event_clients slow');
    for (let i = 0; i < 2000 && !slow(); i++) {
      site.emit({ type: 'alert', change: 'updated', row });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(slow()).toBe(true);
    socket.destroy();
  });
});

describe('the server', () => {
  it('says which port is taken and what to do', async () => {
    const port = Number(new URL(server.url()).port);
    const second = createApiServer(site.config({ port }), site.deps);
    await expect(second.start()).rejects.toMatchObject({
      code: 'WW_PORT_IN_USE',
      message: expect.stringContaining(String(port)) as string,
      remedy: expect.stringContaining('api.port') as string,
    });
    await second.stop();
  });

  it('says that an address is not of this machine', async () => {
    const elsewhere = createApiServer(site.config({ host: '192.0.2.1' }), site.deps);
    await expect(elsewhere.start()).rejects.toMatchObject({ code: 'WW_API' });
    await elsewhere.stop();
  });

  it('answers broken HTTP with a problem', async () => {
    const { hostname, port } = new URL(server.url());
    const socket = connect(Number(port), hostname);
    socket.end('NONSENSE\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ status: 400 });
  });

  it('ends streams when it stops', async () => {
    const another = createApiServer(site.config(), site.deps);
    await another.start();
    const response = await fetch(new URL('api/v1/events', another.url()));
    const ended = response.text();
    await another.stop();
    expect(await ended).toContain('event: status');
  });
});
