/** What the tools themselves say of deploy/. None of them is installed by `make test`; what is missing is said. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startFront } from '../support/clickhouse/start.ts';
import { run } from '../commands/run-command.ts';
import { at, documents, entries, files, list, text } from './files.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-deploy-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Said {
  readonly code: number | null;
  readonly text: string;
}

function ask(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Said {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000, ...options });
  return { code: status, text: `${stdout}${stderr}` };
}

/** A test that needs a program which may be missing on a desk; `has` is a call that succeeds where it is there. */
function testWith(has: readonly [string, ...string[]], name: string, check: () => void): void {
  const [command, ...args] = has;
  const there = spawnSync(command, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
  if (!there) console.warn(`SKIPPED, ${name}: \`${has.join(' ')}\` does not work here`);
  test.skipIf(!there)(name, { timeout: 120_000 }, check);
}

const promtool = process.env['WARDWATCH_PROMTOOL'] ?? 'promtool';

testWith(['docker', 'compose', 'version'], 'compose takes the file', () => {
  expect(ask('docker', ['compose', '-f', 'deploy/compose.yaml', 'config', '--quiet'])).toEqual({ code: 0, text: '' });
});

testWith(['kubectl', 'version', '--client'], 'kustomize puts the manifests together', () => {
  const built = ask('kubectl', ['kustomize', 'deploy/kubernetes']);
  expect(built.code, built.text).toBe(0);
  for (const kind of ['DaemonSet', 'Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'ConfigMap'])
    expect(built.text).toContain(`kind: ${kind}\n`);
  // Its name ends in a hash of its content, so that a changed setting starts pods anew.
  expect(built.text).toMatch(/configMap:\n\s+name: wardwatch-[a-z0-9]{10}\n/);
});

testWith(
  [promtool, '--version'],
  'promtool takes the scrape settings and rules, and the rules do what they say',
  () => {
    const checked = ask(promtool, ['check', 'config', 'deploy/prometheus/prometheus.yml']);
    expect(checked.code, checked.text).toBe(0);
    const tested = ask(promtool, ['test', 'rules', 'deploy/prometheus/rules-test.yml']);
    expect(tested.code, tested.text).toBe(0);
  },
);

testWith(['systemd-analyze', '--version'], 'systemd takes the units, and finds them shut', () => {
  const units = files('.service');
  expect(units.length).toBe(4);
  for (const unit of units) {
    const path = join(folder, unit.slice('systemd/'.length).replace('@', '@eth1'));
    // It wants programs and manuals that exist.
    const here = text(unit)
      .replace('/opt/wardwatch/node_modules/.bin/node', '/bin/true')
      .replace(/^Documentation=.*\n/m, '');
    writeFileSync(path, here);
    mkdirSync(`${path}.d`);
    writeFileSync(join(`${path}.d`, 'hardening.conf'), text('systemd/hardening.conf'));
    const env = { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` };
    expect(ask('systemd-analyze', ['verify', '--man=no', path], { env }), unit).toEqual({ code: 0, text: '' });
    const security = ask('systemd-analyze', ['security', '--no-pager', '--offline=true', '--threshold=20', path], {
      env,
    });
    expect(security.code, security.text).toBe(0);
  }
});

test('shell scripts parse', () => {
  for (const script of files('.sh'))
    expect(ask('sh', ['-n', join('deploy', script)]), script).toEqual({ code: 0, text: '' });
});

testWith(['openssl', 'version'], 'make-secrets.sh makes what is missing, and only that', () => {
  const copy = join(folder, 'deploy');
  cpSync('deploy/make-secrets.sh', join(copy, 'make-secrets.sh'));
  const make = (): Said => ask('sh', [join(copy, 'make-secrets.sh')]);
  expect(make().code).toBe(0);
  const secret = (name: string): Buffer => readFileSync(join(copy, 'secrets', name));
  const password = secret('clickhouse_password').toString();
  expect(password).toMatch(/^[0-9a-f]{48}\n$/);
  const hash = createHash('sha256').update(password.trim()).digest('hex');
  expect(secret('clickhouse_password.xml').toString()).toContain(`<password_sha256_hex>${hash}</password_sha256_hex>`);
  expect(secret('token.key')).toHaveLength(16);
  expect(statSync(join(copy, 'secrets')).mode & 0o777).toBe(0o700);
  expect(make().code).toBe(0);
  expect(secret('clickhouse_password').toString()).toBe(password);
});

describe('every command line that is deployed', () => {
  const [compose] = documents('compose.yaml');
  const ofCompose = entries(compose!['services'])
    .filter(([, service]) => String(service['image']).startsWith('wardwatch:'))
    .map(([, service]) => (service['command'] as string[]).map((arg) => arg.replace(/\$\{\w+:-(\w+)\}/, '$1')));
  const ofKubernetes = files('.yaml')
    .filter((path) => path.startsWith('kubernetes/') && !path.endsWith('kustomization.yaml'))
    .flatMap(documents)
    .flatMap((resource) => list(at(resource, 'spec', 'template', 'spec', 'containers')))
    .map((container) => container['args'] as string[]);
  const ofSystemd = files('.service').map((unit) => {
    const [, line] = /^ExecStart=\S+ \S+wardwatch\.js (.*)$/m.exec(text(unit))!;
    return line!
      .replaceAll('%i', 'eth1')
      .replaceAll('${PARTITION}', '0')
      .replaceAll('${METRICS}', '127.0.0.1:9464')
      .split(' ');
  });
  const all = [...new Set([...ofCompose, ...ofKubernetes, ...ofSystemd].map((args) => args.join(' ')))];

  test.each(all)('wardwatch %s', async (line) => {
    // The options are read before the configuration, which is missing here: 78 means that they were right.
    const result = await run(line.split(' '), { cwd: folder, env: { WARDWATCH_CONFIG: join(folder, 'absent.yaml') } });
    expect(result, result.stderr).toMatchObject({ code: 78 });
  });

  test('and the variables beside them', async () => {
    const env = { WARDWATCH_BUS__KAFKA__SASL__USERNAME: 'wardwatch-sensor' };
    const { stdout, code } = await run(['config', 'check', '--print', resolve('deploy/kubernetes/wardwatch.yaml')], {
      env,
    });
    expect(code).toBe(0);
    expect(stdout).toContain('username: wardwatch-sensor');
  });
});

describe('clickhouse', () => {
  const users = text('clickhouse/users.d/wardwatch.xml');
  const config = text('clickhouse/config.d/wardwatch.xml');

  test('the XML is balanced', () => {
    for (const xml of [users, config]) {
      const open: string[] = [];
      for (const [, end, name, own] of xml.replace(/<!--.*?-->/gs, '').matchAll(/<(\/?)([a-z_]+)[^>]*?(\/?)>/g)) {
        if (end === '/') expect(open.pop()).toBe(name);
        else if (own !== '/') open.push(name!);
      }
      expect(open).toEqual([]);
    }
  });

  test('the engine knows the settings, and reads the rights', async () => {
    const server = await startFront({});
    try {
      const query = async (sql: string): Promise<string> => {
        const authorization = `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`;
        const answer = await fetch(server.url, { method: 'POST', headers: { authorization }, body: sql });
        const said = await answer.text();
        expect(answer.status, said).toBe(200);
        return said;
      };
      const known = new Set((await query('SELECT name FROM system.settings FORMAT TSV')).split('\n'));
      const profile = /<profiles>(.*)<\/profiles>/s.exec(users)![1]!.replace(/<!--.*?-->/gs, '');
      const names = [...profile.matchAll(/<([a-z_]+)>\d+<\/\1>/g)].map(([, name]) => name!);
      expect(names.length).toBeGreaterThan(2);
      for (const name of names) expect(known.has(name), name).toBe(true);
      const ofServer = new Set((await query('SELECT name FROM system.server_settings FORMAT TSV')).split('\n'));
      expect(ofServer.has('max_server_memory_usage_to_ram_ratio')).toBe(true);
      const grant = /<query>(GRANT .*)<\/query>/.exec(users)![1]!;
      expect(await query(`EXPLAIN AST ${grant} TO wardwatch`)).toContain('GrantQuery');
    } finally {
      await server.stop();
    }
  });
});

test('the folder of secrets is not part of the checkout', () => {
  expect(text('.gitignore')).toContain('secrets/');
  if (existsSync('.git')) expect(ask('git', ['ls-files', 'deploy/secrets'])).toEqual({ code: 0, text: '' });
});
