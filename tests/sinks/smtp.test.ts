import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import type { SMTPServerOptions } from 'smtp-server';
import { Value } from 'typebox/value';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { toDelivery } from '../../src/alerts/delivery.ts';
import type { AlertSink } from '../../src/alerts/delivery.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { smtpConfigSchema } from '../../src/sinks/smtp/config.ts';
import type { SmtpConfig } from '../../src/sinks/smtp/config.ts';
import { createSmtpSink } from '../../src/sinks/smtp/index.ts';
import { toMail } from '../../src/sinks/smtp/mail.ts';
import { alertRow, alertRows, HOSTILE, NOON } from '../delivery/rows.ts';
import { LOOK_MS, makeBench } from '../desk/bench.ts';
import { makeCertificate } from '../support/clickhouse/certificate.ts';

interface Got {
  readonly from: string;
  readonly to: string[];
  readonly isSecure: boolean;
  readonly user: string;
  readonly raw: string;
}

let folder = '';
let certificate: ReturnType<typeof makeCertificate>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-smtp-'));
  certificate = makeCertificate(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startMail(options: SMTPServerOptions = {}): Promise<{ port: number; got: Got[] }> {
  const got: Got[] = [];
  const server = new SMTPServer({
    key: certificate.key,
    cert: certificate.cert,
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    onAuth(auth, _session, done) {
      if (auth.username === 'wardwatch' && auth.password === 'correct horse') done(null, { user: auth.username });
      else done(Object.assign(new Error('no'), { responseCode: 535 }));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        got.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          isSecure: session.secure,
          user: session.user ?? '',
          raw: Buffer.concat(chunks).toString('utf8'),
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, got };
}

async function mailSink(port: number, changes: Partial<SmtpConfig> = {}): Promise<AlertSink> {
  const given = {
    kind: 'smtp',
    name: 'on-call',
    host: '127.0.0.1',
    port,
    from: 'wardwatch@hospital.example',
    to: ['on-call@hospital.example', 'soc@hospital.example'],
    tls: { ca: certificate.certFile },
    ...changes,
  };
  const config = Value.Parse(smtpConfigSchema, Value.Default(smtpConfigSchema, given));
  const sink = createSmtpSink(config, { allowed: ['127.0.0.0/8'], productVersion: '0.1.0' });
  closing.push(() => sink.stop());
  await sink.start();
  return sink;
}

const send = async (sink: AlertSink, rows: readonly AlertRow[]) => {
  const deliveries = rows.map(toDelivery);
  return sink.send(deliveries, deliveries[0]!.id);
};

/** The headers by name, folded lines joined. */
function headersOf(raw: string): Map<string, string> {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ');
  return new Map(
    head
      .split('\r\n')
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
}

describe('e-mail', () => {
  it('goes over TLS to all readers, with the id of the delivery', async () => {
    const { port, got } = await startMail();
    const sink = await mailSink(port, { console_url: 'https://wardwatch.hospital.example/' });
    expect(await send(sink, [alertRow()])).toEqual([{ kind: 'delivered', detail: 'accepted' }]);
    expect(got).toHaveLength(1);
    const { from, to, isSecure, raw } = got[0]!;
    expect({ from, to, isSecure }).toEqual({
      from: 'wardwatch@hospital.example',
      to: ['on-call@hospital.example', 'soc@hospital.example'],
      isSecure: true,
    });
    const headers = headersOf(raw);
    expect(headers.get('message-id')).toBe('<alert_a1B2c3D4e5F6_1@hospital.example>');
    expect(headers.get('subject')).toBe('[Wardwatch] High: Scan of the network: pump-12');
    expect(headers.get('auto-submitted')).toBe('auto-generated');
    expect(raw).toContain('text/plain');
    expect(raw).toContain('text/html');
    expect(raw).toContain('Do not: do not cut it off');
    expect(raw).toContain('https://wardwatch.hospital.example/alerts/a1B2c3D4e5F6');
  });

  it('signs in where it is told to, and also speaks TLS from the first byte', async () => {
    vi.stubEnv('MAIL_PASSWORD', 'correct horse');
    const { port, got } = await startMail({ secure: true, authOptional: false });
    const right = { security: 'tls', username: 'wardwatch', password_env: 'MAIL_PASSWORD' } as const;
    expect(await send(await mailSink(port, right), [alertRow()])).toMatchObject([{ kind: 'delivered' }]);
    expect(got[0]).toMatchObject({ user: 'wardwatch', isSecure: true });
    vi.stubEnv('MAIL_PASSWORD', 'wrong');
    expect(await send(await mailSink(port, right), [alertRow()])).toEqual([
      { kind: 'retry', detail: 'SMTP 535', away: true },
    ]);
    await expect(mailSink(port, { username: 'wardwatch' })).rejects.toMatchObject({ code: 'WW_CONFIG' });
    await expect(mailSink(port, { ...right, security: 'none' })).rejects.toMatchObject({ code: 'WW_CONFIG' });
  });

  it('sends nothing in clear where the server has no TLS or another certificate, unless told to', async () => {
    const bare = await startMail({ disabledCommands: ['STARTTLS'] });
    expect(await send(await mailSink(bare.port), [alertRow()])).toMatchObject([{ kind: 'retry', away: true }]);
    const { port, got } = await startMail();
    expect(await send(await mailSink(port, { tls: {} }), [alertRow()])).toMatchObject([{ kind: 'retry', away: true }]);
    expect([...bare.got, ...got]).toEqual([]);
    expect(await send(await mailSink(bare.port, { security: 'none' }), [alertRow()])).toMatchObject([
      { kind: 'delivered' },
    ]);
  });

  it('tells a refused mail from a server that is away', async () => {
    const full = await startMail({
      onData(stream, _session, done) {
        stream.resume();
        stream.on('end', () => done(Object.assign(new Error('secret words'), { responseCode: 552 })));
      },
    });
    expect(await send(await mailSink(full.port), [alertRow()])).toEqual([
      { kind: 'retry', detail: 'SMTP 552', away: false },
    ]);
    const strict = await startMail({
      onRcptTo(address, _session, done) {
        if (address.address.startsWith('soc')) done(Object.assign(new Error('no'), { responseCode: 550 }));
        else done();
      },
    });
    expect(await send(await mailSink(strict.port), [alertRow()])).toEqual([
      { kind: 'delivered', detail: 'accepted, but not for 1 of 2' },
    ]);
    expect(await send(await mailSink(1), [alertRow()])).toEqual([
      { kind: 'retry', detail: expect.stringMatching(/^E[A-Z]+$/), away: true },
    ]);
    expect(await send(await mailSink(full.port, { host: 'localhost', allow: ['10.0.0.0/8'] }), [alertRow()])).toEqual([
      { kind: 'retry', detail: expect.stringContaining('loopback'), away: true },
    ]);
  });

  it('shows hostile names as text', async () => {
    const { port, got } = await startMail();
    const row = alertRow({
      title: HOSTILE,
      message: `${HOSTILE}<img src=x onerror=alert(1)>`,
      device_name: `a\r\nBcc: all@hospital.example\r\n\r\n<b>${HOSTILE}`,
      uid: '"><script>',
    });
    expect(await send(await mailSink(port), [row])).toMatchObject([{ kind: 'delivered' }]);
    const headers = headersOf(got[0]!.raw);
    expect(headers.has('bcc')).toBe(false);
    expect(got[0]!.to).toEqual(['on-call@hospital.example', 'soc@hospital.example']);
    const mail = toMail([toDelivery(row)], 'https://console.example');
    expect(mail.subject).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
    expect(
      mail.html
        .match(/<[a-z!/][^>]*>/g)
        ?.filter((tag) => !/^<(\/?(html|body|h2|p|table|tr|th|td|a)|!doctype html)\b[^<]*>$/.test(tag)),
    ).toEqual([]);
    expect(mail.html).not.toMatch(/<(script|img|b)\b/);
    expect(mail.text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it('gathers what comes within the time of a digest, each alert in one mail', async () => {
    const { port, got } = await startMail();
    const bench = makeBench();
    const sink = await mailSink(port, { digest_s: 600, batch: 3 });
    const desk = await bench.open({ mail: { sink } }, {});
    await bench.accept(desk, alertRows(2, { time: NOON }));
    await bench.clock.advance(LOOK_MS);
    expect(got).toEqual([]);
    await bench.clock.advance(LOOK_MS);
    while (got.length < 1 || desk.status().counts.queued > 0) await new Promise((settle) => setTimeout(settle, 5));
    expect(headersOf(got[0]!.raw).get('subject')).toBe(
      '[Wardwatch] 2 alerts, the worst High: Scan of the network: pump-12',
    );
    // A full digest does not wait.
    await bench.accept(desk, alertRows(3, { version: 2 }));
    while (got.length < 2 || desk.status().counts.queued > 0) await new Promise((settle) => setTimeout(settle, 5));
    expect(headersOf(got[1]!.raw).get('message-id')).toMatch(/^<batch_[0-9a-f]{32}@hospital\.example>$/);
    await desk.stop();
  });
});
