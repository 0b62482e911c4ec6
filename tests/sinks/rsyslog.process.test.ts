import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toDelivery } from '../../src/alerts/delivery.ts';
import { toCef, toLeef } from '../../src/alerts/formats/index.ts';
import { syslogConfigSchema } from '../../src/sinks/syslog/config.ts';
import type { SyslogConfig } from '../../src/sinks/syslog/config.ts';
import { createSyslogSink } from '../../src/sinks/syslog/index.ts';
import { alertRow, HOSTILE } from '../delivery/rows.ts';
import { makeCertificate } from '../support/clickhouse/certificate.ts';

const RSYSLOG = ['/usr/sbin/rsyslogd', '/usr/bin/rsyslogd'].find((path) => existsSync(path));
const formatOf = (parts: string[]): string => (parts[6] ?? '').trimStart().slice(0, 4);
const HAS_TLS = [
  '/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so',
  '/usr/lib/aarch64-linux-gnu/rsyslog/lmnsd_gtls.so',
].some((path) => existsSync(path));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

if (RSYSLOG === undefined)
  console.warn('SKIPPED, syslog against a real receiver: apt-get install rsyslog rsyslog-gnutls');

/** The daemon that most hospitals have in front of their SIEM, reading what we send by its own rules. */
describe.skipIf(RSYSLOG === undefined)('rsyslog', () => {
  let folder = '';
  let daemon: ChildProcess;
  let certFile = '';
  const ports = { tcp: 0, udp: 0, tls: 0 };
  const file = (): string => join(folder, 'got');

  /** Lines of the file once there are `n`; told by the file system. */
  async function lines(n: number): Promise<string[]> {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        const watcher = watch(folder, () => {
          watcher.close();
          resolve();
        });
        // Written between the last look and the watch.
        setTimeout(() => watcher.emit('change'), 200);
      });
      const now = existsSync(file()) ? readFileSync(file(), 'utf8').split('\n').slice(0, -1) : [];
      if (now.length >= n) return now;
      await changed;
    }
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wardwatch-rsyslog-'));
    certFile = makeCertificate(folder).certFile;
    for (const name of ['tcp', 'udp', 'tls'] as const) ports[name] = await freePort();
    const driver = `StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"`;
    writeFileSync(
      join(folder, 'rsyslog.conf'),
      [
        `global(workDirectory="${folder}" maxMessageSize="16k" parser.escapeControlCharactersOnReceive="off"`,
        HAS_TLS
          ? ` defaultNetstreamDriverCAFile="${certFile}" defaultNetstreamDriverCertFile="${certFile}" defaultNetstreamDriverKeyFile="${join(folder, 'key.pem')}")`
          : ')',
        'module(load="imudp")',
        'module(load="imptcp")',
        ...(HAS_TLS ? [`module(load="imtcp" ${driver})`] : []),
        `input(type="imudp" address="127.0.0.1" port="${ports.udp}")`,
        `input(type="imptcp" address="127.0.0.1" port="${ports.tcp}")`,
        ...(HAS_TLS ? [`input(type="imtcp" address="127.0.0.1" port="${ports.tls}")`] : []),
        'template(name="parts" type="string" string="%syslogfacility-text%.%syslogseverity-text%~%timereported:::date-rfc3339%~%hostname%~%app-name%~%msgid%~%structured-data%~%msg%\\n")',
        `action(type="omfile" file="${file()}" template="parts")`,
      ].join('\n'),
    );
    const check = spawnSync(RSYSLOG!, ['-N1', '-f', join(folder, 'rsyslog.conf')], { encoding: 'utf8' });
    if (check.status !== 0) throw new Error(check.stderr);
    daemon = spawn(RSYSLOG!, ['-n', '-f', join(folder, 'rsyslog.conf'), '-i', join(folder, 'pid')], {
      stdio: 'ignore',
    });
  });

  afterAll(async () => {
    daemon.kill('SIGKILL');
    await new Promise((resolve) => daemon.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  const sinkOf = async (changes: Partial<SyslogConfig>) => {
    const given = { kind: 'syslog', name: 'siem', host: '127.0.0.1', sender: 'sensor-1', ...changes };
    const config = Value.Parse(syslogConfigSchema, Value.Default(syslogConfigSchema, given));
    const sink = createSyslogSink(config, { allowed: ['127.0.0.0/8'], productVersion: '0.1.0' });
    await sink.start();
    return sink;
  };

  const transports = ['tcp', 'udp', ...(HAS_TLS ? (['tls'] as const) : [])] as const;
  it.each(transports)('reads header and alert as they were written: %s', async (transport) => {
    const tls = transport === 'tls' ? { tls: { ca: certFile } } : {};
    const before = existsSync(file()) ? readFileSync(file(), 'utf8').split('\n').length - 1 : 0;
    const rows = [
      alertRow(),
      alertRow({ uid: 'hostile', version: 2, severity_id: 5, device_name: HOSTILE, title: HOSTILE }),
    ];
    for (const format of ['cef', 'leef'] as const) {
      const sink = await sinkOf({ transport, port: ports[transport], format, ...tls });
      let outcomes = await sink.send(rows.map(toDelivery), '');
      // The daemon may still be opening its ports.
      while (outcomes[0]!.kind !== 'delivered') outcomes = await sink.send(rows.map(toDelivery), '');
      await sink.stop();
    }
    // Two connections: the daemon may write what came over the second one first.
    const got = (await lines(before + 4))
      .slice(before)
      .map((line) => line.split('~'))
      .sort((a, b) => formatOf(a).localeCompare(formatOf(b)));
    expect(got.map((parts) => parts.slice(0, 6))).toEqual(
      ['cef', 'leef'].flatMap(() => [
        [
          'local0.err',
          '2026-11-20T14:00:00.000Z',
          'sensor-1',
          'wardwatch',
          'alert.created',
          '[origin software="Wardwatch" swVersion="0.1.0"]',
        ],
        [
          'local0.crit',
          '2026-11-20T14:00:00.000Z',
          'sensor-1',
          'wardwatch',
          'alert.updated',
          '[origin software="Wardwatch" swVersion="0.1.0"]',
        ],
      ]),
    );
    expect(got.map((parts) => parts.slice(6).join('~').trimStart())).toEqual([...rows.map(toCef), ...rows.map(toLeef)]);
  });
});
