import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import fc from 'fast-check';
import { Value } from 'typebox/value';
import { afterEach, describe, expect, it } from 'vitest';
import { toDelivery } from '../../src/alerts/delivery.ts';
import type { AlertSink } from '../../src/alerts/delivery.ts';
import { syslogConfigSchema } from '../../src/sinks/syslog/config.ts';
import type { SyslogConfig } from '../../src/sinks/syslog/config.ts';
import { createSyslogSink } from '../../src/sinks/syslog/index.ts';
import { octetCounted, syslogMessage } from '../../src/sinks/syslog/message.ts';
import { alertRow, alertRows, HOSTILE } from '../delivery/rows.ts';

const OPTIONS = {
  format: 'cef',
  facility: 16,
  sender: 'sensor-1',
  productVersion: '0.1.0',
  maxBytes: 8192,
} as const;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function syslogSink(port: number, changes: Partial<SyslogConfig> = {}): Promise<AlertSink> {
  const given = {
    kind: 'syslog',
    name: 'siem',
    host: '127.0.0.1',
    port,
    sender: 'sensor-1',
    transport: 'tcp',
    ...changes,
  };
  const config = Value.Parse(syslogConfigSchema, Value.Default(syslogConfigSchema, given));
  const sink = createSyslogSink(config, { allowed: ['127.0.0.0/8'], productVersion: '0.1.0' });
  closing.push(() => sink.stop());
  await sink.start();
  return sink;
}

/** Reads frames of RFC 6587 3.4.1 off connections. */
async function startTcp(): Promise<{
  port: number;
  got: string[];
  server: Server;
  sockets: Set<Socket>;
  next(n: number): Promise<void>;
}> {
  const got: string[] = [];
  const sockets = new Set<Socket>();
  let arrived = (): void => {};
  const server = createServer((socket) => {
    sockets.add(socket);
    let held = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      for (;;) {
        const space = held.indexOf(0x20);
        const length = Number(held.subarray(0, space).toString('latin1'));
        if (space < 0 || held.length < space + 1 + length) break;
        got.push(held.subarray(space + 1, space + 1 + length).toString('utf8'));
        held = held.subarray(space + 1 + length);
      }
      arrived();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    got,
    server,
    sockets,
    async next(n) {
      while (got.length < n) await new Promise<void>((resolve) => (arrived = resolve));
    },
  };
}

describe('a message', () => {
  it('has the header of RFC 5424', () => {
    const text = syslogMessage(toDelivery(alertRow()), OPTIONS).toString();
    expect(text).toMatch(
      /^<131>1 2026-11-20T14:00:00\.000Z sensor-1 wardwatch - alert\.created \[origin software="Wardwatch" swVersion="0\.1\.0"\] CEF:0\|Wardwatch\|/,
    );
    const critical = syslogMessage(toDelivery(alertRow({ severity_id: 5, version: 2 })), { ...OPTIONS, facility: 4 });
    expect(critical.toString()).toMatch(/^<34>1 .* alert\.updated /);
  });

  it('is one line whatever a device calls itself, and framed by its length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.constantFrom('cef', 'leef'), (name, format) => {
        const message = syslogMessage(toDelivery(alertRow({ device_name: name + HOSTILE })), { ...OPTIONS, format });
        const text = message.toString('utf8');
        expect(text).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/);
        const framed = octetCounted([message, message]);
        const length = String(message.length);
        expect(framed.subarray(0, length.length + 1).toString()).toBe(`${length} `);
        expect(framed.length).toBe(2 * (message.length + length.length + 1));
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it('is cut between characters, and not between a backslash and what it escapes', () => {
    for (const filler of ['é', '=', '\\', '😀'])
      for (let maxBytes = 600; maxBytes < 640; maxBytes++) {
        const message = syslogMessage(toDelivery(alertRow({ message: filler.repeat(900) })), { ...OPTIONS, maxBytes });
        expect(message.length).toBeLessThanOrEqual(maxBytes);
        expect(message.length).toBeGreaterThan(maxBytes - 5);
        expect(message.toString('utf8')).not.toContain('\ufffd');
        expect(/\\*$/.exec(message.toString('utf8'))![0].length % 2).toBe(0);
      }
  });
});

describe('over TCP', () => {
  it('arrives in order over one connection', async () => {
    const receiver = await startTcp();
    const sink = await syslogSink(receiver.port);
    const deliveries = alertRows(5).map(toDelivery);
    expect(await sink.send(deliveries, '')).toEqual(
      deliveries.map(() => ({ kind: 'delivered', detail: 'written by tcp' })),
    );
    await sink.send(deliveries, '');
    await receiver.next(10);
    expect(receiver.got.slice(0, 5).map((text) => /externalId=(\w+)/.exec(text)?.[1])).toEqual(
      deliveries.map(({ row }) => row.uid),
    );
    expect(receiver.sockets.size).toBe(1);
  });

  it('is not delivered when the receiver closes within the confirmation time', async () => {
    const receiver = await startTcp();
    const sink = await syslogSink(receiver.port, { confirm_ms: 5000 });
    receiver.server.on('connection', (socket) => socket.once('data', () => socket.end()));
    expect(await sink.send([toDelivery(alertRow())], '')).toMatchObject([{ kind: 'retry', away: true }]);
    receiver.server.removeAllListeners('connection');
  });

  it('connects again after the receiver was away', async () => {
    const receiver = await startTcp();
    const sink = await syslogSink(receiver.port);
    expect(await sink.send([toDelivery(alertRow())], '')).toMatchObject([{ kind: 'delivered' }]);
    for (const socket of receiver.sockets) socket.resetAndDestroy();
    const outcomes = [await sink.send([toDelivery(alertRow())], ''), await sink.send([toDelivery(alertRow())], '')];
    expect(outcomes.at(-1)).toMatchObject([{ kind: 'delivered' }]);
    await receiver.next(2);
  });

  it('is away where nobody listens, and refused where it must not lead', async () => {
    const receiver = await startTcp();
    receiver.server.close();
    const sink = await syslogSink(receiver.port);
    expect(await sink.send([toDelivery(alertRow())], '')).toEqual([
      { kind: 'retry', detail: 'ECONNREFUSED', away: true },
    ]);
    const guarded = await syslogSink(receiver.port, { allow: ['10.0.0.0/8'] });
    expect((await guarded.send([toDelivery(alertRow())], ''))[0]).toMatchObject({
      detail: 'the name leads to a loopback address that is not listed (delivery.allow)',
    });
  });
});

describe('over UDP', () => {
  it('is one datagram a message, and hears where nobody is', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    const first = new Promise<string>((resolve) => socket.once('message', (bytes) => resolve(bytes.toString())));
    const sink = await syslogSink(port, { transport: 'udp', format: 'leef' });
    expect(await sink.send([toDelivery(alertRow())], '')).toMatchObject([{ kind: 'delivered' }]);
    expect(await first).toContain('LEEF:2.0|Wardwatch|');
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    expect(await sink.send([toDelivery(alertRow())], '')).toMatchObject([{ kind: 'retry', detail: 'ECONNREFUSED' }]);
  });
});
