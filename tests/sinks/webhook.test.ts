import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { Value } from 'typebox/value';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { toDelivery } from '../../src/alerts/delivery.ts';
import type { AlertSink, Outcome } from '../../src/alerts/delivery.ts';
import { createWebhookSink } from '../../src/sinks/webhook/index.ts';
import type { WebhookDeps } from '../../src/sinks/webhook/index.ts';
import { webhookConfigSchema } from '../../src/sinks/webhook/config.ts';
import type { WebhookConfig } from '../../src/sinks/webhook/config.ts';
import { alertRow, alertRows } from '../delivery/rows.ts';
import { makeCertificate } from '../support/clickhouse/certificate.ts';
import { startReceiver } from './receiver.ts';
import type { Receiver } from './receiver.ts';

const secret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const SECRET = secret();
const LOOPBACK = ['127.0.0.0/8'];

const sinks: AlertSink[] = [];
afterEach(async () => {
  await Promise.all(sinks.splice(0).map((sink) => sink.stop()));
});

async function sinkOf(
  receiver: Receiver | undefined,
  changes: Partial<WebhookConfig> = {},
  deps: Partial<WebhookDeps> = {},
): Promise<AlertSink> {
  vi.stubEnv('SIEM_SECRET', SECRET);
  const config = Value.Parse(
    webhookConfigSchema,
    Value.Default(webhookConfigSchema, {
      kind: 'webhook',
      name: 'siem',
      url: `http://127.0.0.1:${receiver?.port ?? 9}/hooks/wardwatch`,
      insecure_http: true,
      secret_env: ['SIEM_SECRET'],
      ...changes,
    }),
  );
  const sink = createWebhookSink(config, { allowed: LOOPBACK, productVersion: '0.1.0', ...deps });
  sinks.push(sink);
  await sink.start();
  return sink;
}

const delivery = toDelivery(alertRow());
const one = async (sink: AlertSink): Promise<Outcome> => (await sink.send([delivery], delivery.id))[0]!;

describe('Standard Webhooks', () => {
  it('is verified by the reference library, and only with the right secret', async () => {
    const receiver = await startReceiver();
    expect(await one(await sinkOf(receiver))).toEqual({ kind: 'delivered', detail: 'HTTP 204' });
    const { headers, body, path } = receiver.got[0]!;
    const payload = new Webhook(SECRET).verify(body, headers as Record<string, string>);
    expect(payload).toMatchObject({
      type: 'alert.created',
      timestamp: '2026-11-20T14:00:00.000Z',
      data: { class_uid: 2004, finding_info: { uid: 'a1B2c3D4e5F6' } },
    });
    expect(path).toBe('/hooks/wardwatch');
    expect(headers['webhook-id']).toBe(delivery.id);
    expect(headers['webhook-id']).not.toContain('.');
    expect(headers['content-type']).toBe('application/json');
    const stranger = new Webhook(secret());
    expect(() => stranger.verify(body, headers as Record<string, string>)).toThrow('No matching signature');
    expect(() => new Webhook(SECRET).verify(`${body} `, headers as Record<string, string>)).toThrow();
  });

  it('keeps id and body over attempts, and signs the time of each', async () => {
    const receiver = await startReceiver();
    receiver.answer = (response) => response.writeHead(500).end();
    let now = 1_795_183_200_000;
    const sink = await sinkOf(receiver, {}, { now: () => now });
    await one(sink);
    now += 7_200_000;
    await one(sink);
    const [first, second] = receiver.got;
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
    expect(second!.body).toBe(first!.body);
    const seconds = receiver.got.map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(seconds[1]! - seconds[0]!).toBe(7200);
    expect(second!.headers['webhook-signature']).not.toBe(first!.headers['webhook-signature']);
  });

  it('signs with every secret, so that old and new are valid at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wardwatch-hook-'));
    try {
      const next = secret();
      writeFileSync(join(folder, 'next'), `${next}\n`);
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
      const pub = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
      writeFileSync(join(folder, 'key'), `whsk_${Buffer.concat([seed, pub]).toString('base64')}`);
      const receiver = await startReceiver();
      await one(await sinkOf(receiver, { secret_files: [join(folder, 'next'), join(folder, 'key')] }));
      const { headers, body } = receiver.got[0]!;
      for (const valid of [SECRET, next]) new Webhook(valid).verify(body, headers as Record<string, string>);
      const signatures = String(headers['webhook-signature']).split(' ');
      expect(signatures.map((text) => text.split(',')[0])).toEqual(['v1', 'v1a', 'v1']);
      const content = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
      const asymmetric = Buffer.from(signatures[1]!.slice('v1a,'.length), 'base64');
      expect(
        verify(
          null,
          Buffer.from(content),
          createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
          asymmetric,
        ),
      ).toBe(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each([
    ['no prefix', randomBytes(32).toString('base64')],
    ['too short', `whsec_${randomBytes(16).toString('base64')}`],
    ['too long', `whsec_${randomBytes(65).toString('base64')}`],
    ['no base64', 'whsec_%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%'],
    ['halves that do not belong together', `whsk_${randomBytes(64).toString('base64')}`],
  ])('refuses a secret that is none: %s', async (_name, text) => {
    vi.stubEnv('WRONG_SECRET', text);
    const start = sinkOf(undefined, { secret_env: ['WRONG_SECRET'] });
    await expect(start).rejects.toMatchObject({ code: 'WW_CONFIG' });
    await expect(start).rejects.not.toThrow(text);
  });

  it('does not start without a secret, or over plain HTTP unless told to', async () => {
    await expect(sinkOf(undefined, { secret_env: [] })).rejects.toThrow('has no secret to sign with');
    await expect(sinkOf(undefined, { insecure_http: false })).rejects.toThrow('http: address');
    await expect(sinkOf(undefined, { secret_files: ['/nowhere/secret'] })).rejects.toMatchObject({ code: 'WW_CONFIG' });
  });

  it('puts several alerts into one message with an id of its own', async () => {
    const receiver = await startReceiver();
    const sink = await sinkOf(receiver, { batch: 10, format: 'wardwatch' });
    const deliveries = alertRows(3).map(toDelivery);
    expect(await sink.send(deliveries, 'batch_1')).toHaveLength(3);
    const { headers, body } = receiver.got[0]!;
    const payload = new Webhook(SECRET).verify(body, headers as Record<string, string>) as {
      type: string;
      data: { id: string }[];
    };
    expect(headers['webhook-id']).toBe('batch_1');
    expect(payload.type).toBe('alert.batch');
    expect(payload.data.map(({ id }) => id)).toEqual(deliveries.map(({ id }) => id));
  });
});

describe('what a receiver answers', () => {
  it.each([
    [200, {}, { kind: 'delivered', detail: 'HTTP 200' }],
    [202, {}, { kind: 'delivered', detail: 'HTTP 202' }],
    [301, { location: '/elsewhere' }, { kind: 'retry', detail: 'HTTP 301', away: true }],
    [307, { location: '/elsewhere' }, { kind: 'retry', detail: 'HTTP 307', away: true }],
    [400, {}, { kind: 'retry', detail: 'HTTP 400', away: false }],
    [401, {}, { kind: 'retry', detail: 'HTTP 401', away: true }],
    [404, {}, { kind: 'retry', detail: 'HTTP 404', away: true }],
    [410, {}, { kind: 'gone', detail: 'the receiver answered 410 Gone' }],
    [429, { 'retry-after': '120' }, { kind: 'retry', detail: 'HTTP 429', away: true, retryAfterMs: 120_000 }],
    [429, { 'retry-after': 'soon' }, { kind: 'retry', detail: 'HTTP 429', away: true }],
    [500, { 'retry-after': '9' }, { kind: 'retry', detail: 'HTTP 500', away: false }],
    [502, { 'retry-after': '7' }, { kind: 'retry', detail: 'HTTP 502', away: true, retryAfterMs: 7000 }],
    [
      503,
      { 'retry-after': 'Fri, 20 Nov 2026 14:01:00 GMT' },
      { kind: 'retry', detail: 'HTTP 503', away: true, retryAfterMs: 60_000 },
    ],
    [504, {}, { kind: 'retry', detail: 'HTTP 504', away: true }],
  ])('%i %j', async (status, headers, outcome) => {
    const receiver = await startReceiver();
    receiver.answer = (response) => response.writeHead(status, headers).end('not { our words');
    const sink = await sinkOf(receiver, {}, { now: () => Date.UTC(2026, 10, 20, 14) });
    expect(await one(sink)).toEqual(outcome);
    // A redirect is not followed.
    expect(receiver.got.map(({ path }) => path)).toEqual(['/hooks/wardwatch']);
  });

  it('counts by its status, whatever body follows it', async () => {
    const receiver = await startReceiver();
    const endless: NodeJS.Timeout[] = [];
    receiver.answer = (response) => {
      response.writeHead(200);
      endless.push(setInterval(() => response.write(Buffer.alloc(65_536)), 1));
    };
    const sink = await sinkOf(receiver);
    expect(await one(sink)).toMatchObject({ kind: 'delivered' });
    receiver.answer = (response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('half', () => response.destroy());
    };
    expect(await one(sink)).toMatchObject({ kind: 'delivered' });
    endless.forEach(clearInterval);
  });

  it('is waited for no longer than the time-out', async () => {
    const receiver = await startReceiver();
    receiver.answer = () => {};
    expect(await one(await sinkOf(receiver, { timeout_s: 1 }))).toEqual({
      kind: 'retry',
      detail: 'no answer in time',
      away: true,
    });
  });

  it('is away where nothing listens or the connection breaks', async () => {
    const receiver = await startReceiver();
    receiver.answer = (response) => response.destroy();
    const sink = await sinkOf(receiver);
    expect(await one(sink)).toEqual({ kind: 'retry', detail: 'ECONNRESET', away: true });
    await receiver.close();
    expect(await one(sink)).toEqual({ kind: 'retry', detail: 'ECONNREFUSED', away: true });
  });
});

describe('TLS', () => {
  let folder = '';
  let certificate: ReturnType<typeof makeCertificate>;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wardwatch-tls-'));
    certificate = makeCertificate(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const url = (receiver: Receiver, host = '127.0.0.1'): string => `https://${host}:${receiver.port}/`;

  it('trusts no certificate that it cannot verify', async () => {
    const receiver = await startReceiver(certificate);
    expect(await one(await sinkOf(receiver, { url: url(receiver) }))).toEqual({
      kind: 'retry',
      detail: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      away: true,
    });
    expect(receiver.got).toEqual([]);
  });

  it('trusts the one of the site, for the name that it was made for', async () => {
    const receiver = await startReceiver(certificate);
    const tls = { ca: certificate.certFile };
    expect(await one(await sinkOf(receiver, { url: url(receiver), tls }))).toMatchObject({ kind: 'delivered' });
    const sink = await sinkOf(
      receiver,
      { url: url(receiver, 'siem.example'), tls },
      { resolve: async () => ['127.0.0.1'] },
    );
    expect(await one(sink)).toMatchObject({ kind: 'retry', detail: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(receiver.got).toHaveLength(1);
  });

  it('shows its own certificate where the receiver asks for one', async () => {
    const receiver = await startReceiver({
      ...certificate,
      ca: certificate.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const ca = certificate.certFile;
    expect(await one(await sinkOf(receiver, { url: url(receiver), tls: { ca } }))).toMatchObject({
      kind: 'retry',
      away: true,
    });
    const tls = { ca, cert: certificate.certFile, key: join(folder, 'key.pem') };
    expect(await one(await sinkOf(receiver, { url: url(receiver), tls }))).toMatchObject({ kind: 'delivered' });
  });
});

describe('where it leads', () => {
  it('refuses addresses that are not listed, and connects to the one it checked', async () => {
    const receiver = await startReceiver();
    const refused = { kind: 'retry', away: true };
    expect(await one(await sinkOf(receiver, { allow: [] }))).toMatchObject(refused);
    expect(await one(await sinkOf(receiver, { allow: ['0.0.0.0/0'] }))).toMatchObject(refused);
    expect(receiver.got).toEqual([]);
    const url = `http://siem.example:${receiver.port}/`;
    const sink = await sinkOf(receiver, { url }, { resolve: async () => ['169.254.169.254', '127.0.0.1'] });
    expect(await one(sink)).toMatchObject({ kind: 'delivered' });
    expect(receiver.got[0]!.headers.host).toBe(`siem.example:${receiver.port}`);
  });

  it('asks anew before every attempt: a name that moves to another network is not followed', async () => {
    const receiver = await startReceiver();
    let address = '127.0.0.1';
    const sink = await sinkOf(
      receiver,
      { url: `http://siem.example:${receiver.port}/` },
      { resolve: async () => [address] },
    );
    expect(await one(sink)).toMatchObject({ kind: 'delivered' });
    address = '10.0.0.1';
    expect(await one(sink)).toEqual({
      kind: 'retry',
      detail: 'the name leads to a private address that is not listed (delivery.allow)',
      away: true,
    });
    address = '127.0.0.1';
    expect(await one(sink)).toMatchObject({ kind: 'delivered' });
    expect(receiver.got).toHaveLength(2);
  });
});

describe('templates', () => {
  const deliveries = alertRows(3).map(toDelivery);

  it('speaks to a Splunk HTTP Event Collector, and does not believe a 200 alone', async () => {
    const receiver = await startReceiver();
    vi.stubEnv('HEC', 'Splunk 0000-1111');
    const sink = await sinkOf(receiver, {
      template: 'splunk_hec',
      secret_env: [],
      authorization_env: 'HEC',
      batch: 10,
    });
    receiver.answer = (response) => response.end('{"text":"Success","code":0}');
    expect(await sink.send(deliveries, 'x')).toEqual(deliveries.map(() => ({ kind: 'delivered', detail: 'accepted' })));
    const { headers, body } = receiver.got[0]!;
    expect(headers.authorization).toBe('Splunk 0000-1111');
    expect(headers['webhook-signature']).toBeUndefined();
    const events = body.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toMatchObject({
      time: 1_795_183_200,
      host: 'pump-12',
      sourcetype: 'wardwatch:alert:ocsf',
      event: { class_uid: 2004 },
      fields: { delivery_id: deliveries[0]!.id },
    });
    for (const lie of ['{"text":"Server is busy","code":9}', '<html>welcome</html>', '', '[]', 'null']) {
      receiver.answer = (response) => response.end(lie);
      expect((await sink.send(deliveries, 'x'))[0], lie).toMatchObject({ kind: 'retry', away: true });
    }
    receiver.answer = (response) => response.end(Buffer.alloc(3 << 20, 0x20));
    expect((await sink.send(deliveries, 'x'))[0]).toMatchObject({ kind: 'retry', away: true });
  });

  it('speaks to Elasticsearch, item by item', async () => {
    const receiver = await startReceiver();
    const sink = await sinkOf(receiver, { template: 'elasticsearch', secret_env: [], format: 'ecs', batch: 10 });
    const items = (...statuses: unknown[]): string =>
      JSON.stringify({ errors: true, items: statuses.map((status) => ({ create: { status } })) });
    receiver.answer = (response) => response.end(items(201, 409, 429));
    expect((await sink.send(deliveries, 'x')).map(({ kind }) => kind)).toEqual(['delivered', 'delivered', 'retry']);
    const lines = receiver.got[0]!.body.split('\n');
    expect(lines).toHaveLength(7);
    expect(JSON.parse(lines[0]!)).toEqual({ create: { _id: deliveries[0]!.id } });
    expect(JSON.parse(lines[1]!)).toMatchObject({ '@timestamp': '2026-11-20T14:00:00.000Z', event: { kind: 'alert' } });
    expect(receiver.got[0]!.headers['content-type']).toBe('application/x-ndjson');
    receiver.answer = (response) => response.end(items(201, 400, 503));
    expect((await sink.send(deliveries, 'x')).map(({ kind }) => kind)).toEqual(['delivered', 'refused', 'retry']);
    for (const lie of [items(201, 201), items('201', null, 201), '{"took":1,"errors":false}', 'ok']) {
      receiver.answer = (response) => response.end(lie);
      expect((await sink.send(deliveries, 'x'))[0]!.kind, lie).toBe('retry');
    }
  });

  it('speaks as Azure Monitor takes it', async () => {
    const receiver = await startReceiver();
    const sink = await sinkOf(receiver, { template: 'sentinel', secret_env: [], batch: 10 });
    expect((await sink.send(deliveries, 'x'))[0]).toMatchObject({ kind: 'delivered' });
    expect(JSON.parse(receiver.got[0]!.body)).toMatchObject(
      deliveries.map(({ id }) => ({
        TimeGenerated: '2026-11-20T14:00:00.000Z',
        DeliveryId: id,
        Alert: { class_uid: 2004 },
      })),
    );
  });
});
