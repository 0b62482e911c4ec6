import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../commands/run-command.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'wardwatch-profiles-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

it('checks and tests what comes with it', async () => {
  expect((await run(['profiles', 'check'])).stdout).toMatch(/^\d+ profiles are right\n$/);
  expect((await run(['profiles', 'test'])).stdout).toMatch(/^\d+ profiles are known by what they declare\n$/);
});

it('says file, line and what is wrong', async () => {
  mkdirSync(join(dir, 'bad', 'printer'), { recursive: true });
  writeFileSync(join(dir, 'bad', 'printer', 'x.yaml'), 'id: printer/x\nclas: printer\n');
  const { code, stdout, stderr } = await run(['profiles', 'check', join(dir, 'bad')]);
  expect(code).toBe(78);
  expect(stdout).toContain('printer/x.yaml:2: clas: is not known; did you mean class?\n');
  expect(stderr).toContain('WW_PROFILE');
});

it('makes a MUD file, reads it again as a profile, and that profile is right', async () => {
  const mud = await run([
    'profiles',
    'export',
    'infusion-pump/bd-alaris-pcu',
    '--mud',
    '--mud-url',
    'https://mud.example.com/pcu.json',
  ]);
  const file = join(dir, 'pcu.mud');
  writeFileSync(file, mud.stdout);
  const imported = await run(['profiles', 'import', file, '--class', 'infusion-pump']);
  expect(imported.stderr).toBe('');
  mkdirSync(join(dir, 'own', 'infusion-pump'), { recursive: true });
  writeFileSync(join(dir, 'own', 'infusion-pump', 'bd-alaris-pcu.yaml'), imported.stdout);
  expect((await run(['profiles', 'test', join(dir, 'own')])).stdout).toBe(
    '1 profiles are known by what they declare\n',
  );
});

it('fills the addresses of an inventory into an access list', async () => {
  const file = join(dir, 'devices.ndjson');
  const device = (ip: string, type: string, profile: string): string =>
    JSON.stringify({ device: { ip, type }, unmapped: { fields: { profile: { value: profile } } } });
  writeFileSync(file, `${device('10.0.0.5', 'pacs', 'pacs/generic')}\n${device('10.0.0.6', 'ct', 'ct/generic')}\n`);
  const { stdout } = await run(['profiles', 'export', '10.0.0.5', '--acl', 'nftables', '--devices', file]);
  expect(stdout).toContain('set device { type ipv4_addr; elements = { 10.0.0.5 } }');
  expect(stdout).toContain('set class_ct { type ipv4_addr; elements = { 10.0.0.6 } }');
});

it('says what would be right', async () => {
  expect((await run(['profiles', 'export', 'pacz/generic', '--mud'])).stderr).toContain('did you mean pacs/generic?');
  expect((await run(['profiles', 'export', 'pacs/generic'])).stderr).toContain('--mud or --acl');
});
