import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatherHelp, run } from './run-command.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-commands-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('help', () => {
  it('of every command has a description and examples', async () => {
    const pages = await gatherHelp([]);
    expect(pages.size).toBeGreaterThan(5);
    for (const [command, text] of pages) {
      expect.soft(text, command).toContain(`Usage: wardwatch${command === '' ? '' : ` ${command}`}`);
      // One that only holds others lists them; their pages have the examples.
      expect.soft(text, command).toMatch(/Commands:\n {2}\S|Examples:\n {2}\S/);
    }
  });

  it('comes on standard output, with exit code 2 where no command was given', async () => {
    const none = await run([]);
    expect(none).toMatchObject({ code: 2, stderr: '' });
    expect(none.stdout).toContain('Usage: wardwatch');
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' });
  });

  it('loads nothing heavy', async () => {
    const { stderr } = await run(['--help'], { env: { NODE_DEBUG: 'esm' } });
    expect(stderr, 'what Node says about loading').toContain('node_modules/commander/');
    for (const heavy of ['chdb', 'fastify', 'kafkajs', 'prom-client', 'pino', 'typebox']) {
      expect(stderr.includes(`node_modules/${heavy}/`), heavy).toBe(false);
    }
  });
});

describe('errors', () => {
  it.each([
    ['an unknown command', ['replya'], 2, /^wardwatch: unknown command 'replya'.* \(WW_USAGE\)\n {2}-> /],
    ['an unknown option', ['doctor', '--fast'], 2, /unknown option '--fast' \(WW_USAGE\)\n {2}-> /],
    ['a wrong value', ['devices', '--limit', 'many'], 2, /--limit.*WW_USAGE\)\n {2}-> /],
    ['a file that is not there', ['inspect', 'absent.pcap'], 66, /absent\.pcap.*\(WW_INPUT_MISSING\)\n {2}-> /],
    [
      'a configuration that is not there',
      ['config', 'check', 'absent.yaml'],
      78,
      /absent\.yaml.*\(WW_CONFIG\)\n {2}-> /,
    ],
    [
      'an API that does not answer',
      ['devices', '--url', 'http://127.0.0.1:1'],
      69,
      /127\.0\.0\.1:1.*\(WW_API\)\n {2}-> /,
    ],
  ])('say what is wrong and what to do: %s', async (_what, args, code, message) => {
    const result = await run(args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });

  it('show where they come from with --debug', async () => {
    const { stderr } = await run(['inspect', 'absent.pcap', '--debug']);
    expect(stderr).toMatch(/^\s+at /m);
  });
});

it('ends quietly when its reader has seen enough', async () => {
  const child = spawn(process.execPath, [resolve('bin/wardwatch.js'), 'config', 'check', '--print'], { cwd: folder });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise((settle) => child.on('close', settle));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

describe('config check', () => {
  it('says that all is right, or everything that is wrong', async () => {
    const good = join(folder, 'good.yaml');
    const bad = join(folder, 'bad.yaml');
    writeFileSync(good, 'api:\n  port: 9000\n');
    writeFileSync(bad, 'api:\n  port: 99999\n  hots: x\n');
    expect(await run(['config', 'check', good])).toMatchObject({
      code: 0,
      stdout: `${good}: all settings are right\n`,
    });
    const wrong = await run(['config', 'check', bad]);
    expect(wrong.code).toBe(78);
    expect(wrong.stderr).toMatch(/2 settings are not right\n {2}api\.port: .*\n {2}api\.hots: .*did you mean host/);
  });

  it('prints what is in force, the environment included', async () => {
    const { stdout } = await run(['config', 'check', '--print'], { env: { WARDWATCH_API__PORT: '9100' } });
    expect(stdout).toMatch(/^api:\n(.*\n)* {2}port: 9100$/m);
  });
});

describe('doctor', () => {
  it('goes through every check and gives no failure on a sound machine', async () => {
    const result = await run(['doctor', '--json'], { cwd: folder });
    const findings = result.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; status: string });
    expect(findings.map((finding) => finding.name)).toEqual(
      expect.arrayContaining(['node', 'memory', 'open files', 'clock', 'configuration', 'data folder', 'ClickHouse']),
    );
    expect(findings.filter((finding) => finding.status === 'failed')).toEqual([]);
    expect(result.code).toBe(0);
    expect(existsSync(join(folder, 'data'))).toBe(false);
  });

  it('fails, and says what to do, where something is wrong', async () => {
    const config = join(folder, 'away.yaml');
    writeFileSync(
      config,
      'store:\n  mode: server\n  server:\n    url: http://127.0.0.1:1\nbus:\n  kind: kafka\n  kafka:\n    brokers: ["127.0.0.1:1"]\n',
    );
    const result = await run(['doctor', '--config', config]);
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^failed {2}ClickHouse: .*\n {8}-> \S/m);
    expect(result.stdout).toMatch(/^failed {2}Kafka broker: 127\.0\.0\.1:1: .*\n {8}-> \S/m);
  });
});

describe('a Node that is too old', () => {
  const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path));

  it.runIf(oldNode !== undefined)('is replaced by the one of the checkout', async () => {
    const text = execFileSync(oldNode!, [resolve('bin/wardwatch.js'), '--version'], { encoding: 'utf8' });
    expect(text).toBe('0.1.0\n');
  });
});
