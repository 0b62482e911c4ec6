import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as checks from '../../src/commands/doctor-checks.ts';

const GIB = 1024 ** 3;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ['20.20.2', 'failed'],
  ['22.17.9', 'failed'],
  ['22.18.0', 'warning'],
  ['24.9.0', 'ok'],
  ['26.0.0', 'warning'],
])('Node %s: %s', (version, status) => {
  expect(checks.checkNode(version).status).toBe(status);
});

it.each([
  ['all rights', 'CapEff:\t000001ffffffffff\n', 'ok', 'may be read'],
  ['no rights', 'CapEff:\t0000000000000000\n', 'warning', 'CAP_NET_RAW and CAP_NET_ADMIN'],
  ['raw sockets alone (bit 13)', 'CapEff:\t0000000000002000\n', 'warning', 'without CAP_NET_ADMIN this'],
  ['no Linux', undefined, 'warning', 'does not tell'],
])('capture rights: %s', (_what, status, expected, text) => {
  const finding = checks.checkCaptureRights(status);
  expect(finding.status).toBe(expected);
  expect(finding.detail).toContain(text);
});

it('finds the capture tool in the folders of PATH', () => {
  const tool = join(folder, 'tcpdump');
  writeFileSync(tool, '');
  expect(checks.checkCaptureTool(['tcpdump'], folder).status).toBe('warning');
  expect(checks.checkCaptureTool(['tcpdump'], folder, true).status).toBe('failed');
  chmodSync(tool, 0o755);
  expect(checks.checkCaptureTool(['tcpdump'], `/nowhere:${folder}`)).toMatchObject({ status: 'ok', detail: tool });
});

it('tries to write where the data will be, and leaves nothing behind', () => {
  const findings = checks.checkDataFolder(join(folder, 'not', 'made', 'yet'));
  expect(findings.map((finding) => finding.name)).toEqual(['data folder', 'clock of the file system', 'disk space']);
  expect(findings[0]?.status).toBe('ok');
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(checks.checkDataFolder(file)[0]).toMatchObject({
    status: 'failed',
    remedy: expect.stringContaining('store.path'),
  });
});

it('judges space, memory, open files and clock by plain limits', () => {
  expect([0.5, 5, 50].map((size) => checks.checkFreeSpace(size * GIB).status)).toEqual(['failed', 'warning', 'ok']);
  expect([0.5, 1.5, 8].map((size) => checks.checkMemory(size * GIB).status)).toEqual(['failed', 'warning', 'ok']);
  const limits = (n: string): string => `Limit  Soft Limit  Hard Limit  Units\nMax open files  ${n}  524288  files\n`;
  expect(['256', '1024', '65536', 'unlimited'].map((n) => checks.checkOpenFiles(limits(n)).status)).toEqual([
    'failed',
    'warning',
    'ok',
    'ok',
  ]);
  expect(checks.checkClock(1970, []).status).toBe('failed');
  expect(checks.checkClock(2026, [join(folder, 'absent')]).status).toBe('warning');
  expect(checks.checkClock(2026, [folder]).status).toBe('ok');
  expect(checks.memoryAvailable()).toBeGreaterThan(0);
});

it('says whether something listens', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((settle) => server.once('listening', settle));
  const { port } = server.address() as AddressInfo;
  expect(await checks.checkReachable('broker', '127.0.0.1', port, 'start it')).toMatchObject({ status: 'ok' });
  await new Promise((settle) => server.close(settle));
  const away = await checks.checkReachable('broker', '127.0.0.1', port, 'start it');
  expect(away).toMatchObject({ status: 'failed', remedy: 'start it' });
});

it('gives every finding that is not ok a remedy', () => {
  const bad = [
    checks.checkNode('18.0.0'),
    checks.checkCaptureRights(undefined),
    checks.checkCaptureTool([], ''),
    checks.checkFreeSpace(0),
    checks.checkMemory(0),
    checks.checkClock(1970, []),
  ];
  for (const finding of bad) expect(finding.remedy).toBeTruthy();
});

it('says when what is signed in with can be listened to', () => {
  const reach = (host: string, more: object = {}, signIn: 'required' | 'off' = 'required') =>
    checks.checkReach({ host, trusted_proxies: [], ...more }, signIn).status;
  expect(reach('127.0.0.1', {}, 'off')).toBe('ok');
  expect(reach('::1')).toBe('ok');
  expect(reach('0.0.0.0')).toBe('warning');
  expect(reach('10.20.0.5', { tls: {} })).toBe('ok');
  expect(reach('10.20.0.5', { trusted_proxies: ['10.20.0.9'] })).toBe('ok');
  expect(reach('10.20.0.5', { tls: {} }, 'off')).toBe('failed');
});
