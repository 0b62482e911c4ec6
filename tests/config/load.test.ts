import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, loadWith, printConfig } from '../../src/config/index.ts';
import { WardwatchError } from '../../src/kernel/errors.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(text: string, name = 'site.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function failure(run: () => unknown): WardwatchError {
  try {
    run();
  } catch (error) {
    if (error instanceof WardwatchError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const schema = Type.Object(
  {
    bus: Type.Union(
      [
        Type.Object(
          { kind: Type.Literal('memory'), partitions: Type.Integer({ default: 1 }) },
          { additionalProperties: false },
        ),
        Type.Object(
          {
            kind: Type.Literal('kafka'),
            brokers: Type.Array(Type.String(), { minItems: 1 }),
            password: Type.Optional(Type.String()),
          },
          { additionalProperties: false },
        ),
      ],
      { default: { kind: 'memory' } },
    ),
    mutes: Type.Record(Type.String(), Type.Integer({ minimum: 1 }), { default: {} }),
    name: Type.String({ default: 'site', minLength: 1 }),
  },
  { additionalProperties: false },
);

describe('loading', () => {
  it('gives the defaults of every component without file and environment', () => {
    const { config, file: from } = loadConfig({ file: file(''), env: {} });
    expect(from).toContain('site.yaml');
    expect(config.api.port).toBe(8642);
    expect(config.store.retention_days.alerts).toBe(400);
    expect(config.telemetry.log_level).toBe('info');
  });

  it('takes the file first and the environment over it', () => {
    const path = file('api:\n  port: 9000\n  host: 0.0.0.0\n');
    const env = { WARDWATCH_CONFIG: path, WARDWATCH_API__PORT: '9100', WARDWATCH_HOT_PATH__TRACK__MAX_FLOWS: '2048' };
    const { config } = loadConfig({ env });
    expect(config.api).toMatchObject({ port: 9100, host: '0.0.0.0' });
    expect(config.hotPath.track.max_flows).toBe(2048);
  });

  it('reads lists, numbers as text where text is asked for, and names of one’s own', () => {
    const env = {
      WARDWATCH_API__ALLOWED_HOSTS: 'ward.example, icu.example',
      WARDWATCH_STORE__SERVER__USERNAME: '12345',
    };
    const { config } = loadConfig({ file: file(''), env });
    expect(config.api.allowed_hosts).toEqual(['ward.example', 'icu.example']);
    expect(config.store.server.username).toBe('12345');
    expect(loadWith(schema, { file: file(''), env: { WARDWATCH_MUTES__ICU: '3' } }).value).toMatchObject({
      mutes: { icu: 3 },
    });
  });

  it('leaves variables of others alone', () => {
    const env = { WARDWATCH_URL: 'x', WARDWATCH_PORT_8642_TCP: 'tcp://10.0.0.1:8642', OTHER__THING: '1' };
    expect(loadConfig({ file: file(''), env }).config.api.port).toBe(8642);
  });

  it('picks the branch of a union by its constant', () => {
    const path = file('bus:\n  kind: kafka\n  brokers: [a:9092]\n');
    expect(loadWith(schema, { file: path, env: {} }).value).toMatchObject({
      bus: { kind: 'kafka', brokers: ['a:9092'] },
    });
    const wrong = failure(() => loadWith(schema, { file: file('bus:\n  kind: kafka\n'), env: {} }));
    expect(wrong.message).toContain('bus.brokers: is missing; expected a list of which each is a text');
  });
});

describe('mistakes', () => {
  it('are told all at once, each with its path and what would be right', () => {
    const path = file('api:\n  port: high\n  hots: 1.2.3.4\nstoer: {}\ntelemetry:\n  log_level: loud\n');
    const error = failure(() => loadConfig({ file: path, env: { WARDWATCH_API__PROT: '1' } }));
    expect(error.code).toBe('WW_CONFIG');
    expect(error.exitCode).toBe(78);
    expect(error.message.replace(path, 'site.yaml')).toMatchInlineSnapshot(`
      "site.yaml: 5 settings are not right
        WARDWATCH_API__PROT: names no setting: "PROT"; did you mean port?
        api.port: is "high"; expected an integer from 0 to 65535
        api.hots: is no setting; did you mean host?
        telemetry.log_level: is "loud"; expected one of debug, info, warn, error
        stoer: is no setting; did you mean store?"
    `);
  });

  it.each([
    ['broken YAML', 'api: [', /site\.yaml: /],
    ['a key given twice', 'api:\n  port: 1\n  port: 2\n', /unique/],
    ['a list on top', '- 1\n', /top level is not a section/],
    ['a section that is a number', 'api: 5\n', /api: is 5; expected a section with host/],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(40)}*a]\nc: [${'*b,'.repeat(40)}*b]\n`,
      /alias/,
    ],
  ])('of the file: %s', (_what, text, message) => {
    expect(failure(() => loadConfig({ file: file(text), env: {} })).message).toMatch(message);
  });

  it('of the path: a file that is not there', () => {
    const error = failure(() => loadConfig({ file: join(folder, 'absent.yaml'), env: {} }));
    expect(error.code).toBe('WW_CONFIG');
    expect(error.message).toContain('absent.yaml');
  });

  it('never pollute the prototype', () => {
    expect(() => loadConfig({ file: file('__proto__:\n  polluted: true\n'), env: {} })).toThrow(/no setting/);
    expect(() => loadConfig({ file: file(''), env: { WARDWATCH___proto____polluted: '1' } })).toThrow(WardwatchError);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('secrets', () => {
  const withSecret = Type.Object(
    { hook: Type.Object({ token: Type.Optional(Type.String()) }, { additionalProperties: false, default: {} }) },
    { additionalProperties: false },
  );

  it('may come from a file', () => {
    const secret = file('s3cret\n', 'token');
    const path = file(`hook:\n  token_file: ${secret}\n`);
    expect(loadWith(withSecret, { file: path, env: {} }).value).toEqual({ hook: { token: 's3cret' } });
  });

  it('are not shown in errors', () => {
    const error = failure(() => loadWith(withSecret, { file: file('hook:\n  token: [s3cret]\n'), env: {} }));
    expect(error.message).toContain('hook.token');
    expect(error.message).not.toContain('s3cret');
  });
});

it('prints what is in force in a form that loads again', () => {
  const { config } = loadConfig({ file: file('api:\n  port: 9000\n'), env: {} });
  const again = loadConfig({ file: file(printConfig(config), 'again.yaml'), env: {} });
  expect(again.config).toEqual(config);
});
