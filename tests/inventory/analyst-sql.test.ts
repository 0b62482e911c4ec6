import { mkdtempSync, rmSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentReporter } from '../../src/kernel/component.ts';
import { normaliseSql } from '../../src/store/analyst-sql.ts';
import { storeConfigSchema } from '../../src/store/config.ts';
import { createStore } from '../../src/store/index.ts';
import type { Store } from '../../src/store/index.ts';
import { deviceRow } from '../store/rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'wardwatch-sql-'));
let store: Store;

beforeAll(async () => {
  const config = Value.Parse(
    storeConfigSchema,
    Value.Default(storeConfigSchema, {
      path: join(folder, 'store'),
      write: { flush_ms: 0 },
      analysts: { max_rows: 100, max_seconds: 2, max_memory_bytes: 268_435_456 },
    }),
  );
  store = createStore(config, { reporter: silentReporter });
  await store.start();
  await store.write({
    devices: [
      deviceRow('10/00:00:00:00:00:01'),
      deviceRow('20/00:00:00:00:00:02', { type: 'ct', hostname: "O'Brien" }),
    ],
  });
}, 60_000);

afterAll(async () => {
  await store.stop();
  rmSync(folder, { recursive: true, force: true });
});

const out = join(folder, 'out');

describe('SQL of analysts', () => {
  it.each([
    [
      'SELECT type, count() AS n FROM devices GROUP BY type ORDER BY n DESC, type',
      [
        ['ct', 1],
        ['infusion_pump', 1],
      ],
    ],
    ["SELECT hostname FROM wardwatch.devices AS d WHERE d.hostname = 'O''Brien' -- a comment", [["O'Brien"]]],
    ['WITH kinds AS (SELECT DISTINCT type FROM devices) SELECT count() FROM kinds', [[2]]],
    ["SELECT device FROM devices WHERE type IN (SELECT 'ct')", [['20/00:00:00:00:00:02']]],
    ["SELECT arrayMap(x -> upper(x), ['a', 'b'])", [[['A', 'B']]]],
    ['/* one */ SELECT max(risk_score) FROM devices d LEFT JOIN channels c ON c.device = d.device;', [[30]]],
    [
      "SELECT `hostname` FROM devices WHERE hostname LIKE 'pump%' ORDER BY row_number() OVER (ORDER BY type)",
      [['pump-5']],
    ],
  ])('answers %s', async (sql, rows) => {
    const answer = await store.sql(sql);
    expect(answer.rows).toEqual(rows);
    expect(answer.truncated).toBe(false);
  });

  it.each([
    // Functions that read files, hosts, settings, time or other tables.
    "SELECT file('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    'SELECT /**/file/**/(/**/hostname) FROM devices',
    "SELECT (SELECT file('x'))",
    "WITH x -> file(x) AS f SELECT f('/etc/passwd')",
    'SELECT * REPLACE(file(hostname) AS hostname) FROM devices',
    'SELECT * APPLY(file) FROM devices',
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT arrayMap((file), ['/etc/passwd'])",
    "WITH file AS f SELECT arrayFilter(f, ['/etc/passwd'])",
    "SELECT arraySort(file, ['/etc/passwd', 'b'])",
    "SELECT * FROM devices ARRAY JOIN [file('/etc/passwd')] AS z",
    "SELECT 1 FROM devices WINDOW w AS (PARTITION BY file('x'))",
    "SELECT 1 ORDER BY length(file('/etc/passwd'))",
    'SELECT sleep(3)',
    'SELECT hostName()',
    "SELECT getSetting('readonly')",
    "SELECT dictGet('a', 'b', 1)",
    "SELECT joinGet('a', 'b', 1)",
    "SELECT executable('x')",
    "SELECT catboostEvaluate('/x', 1)",
    "SELECT arrayReduce('sum', [1])",
    // Table functions.
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1/', 'CSV')",
    "SELECT * FROM s3('http://127.0.0.1/', 'CSV')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM (SELECT * FROM executable('x', 'CSV', 'a String'))",
    'SELECT * FROM devices JOIN numbers(3) n ON 1 = 1',
    "SELECT * FROM merge('system', '.*')",
    'SELECT * FROM view(SELECT 1)',
    // Tables that are not listed.
    'SELECT * FROM system.tables',
    'SELECT * FROM `system`.`users`',
    'SELECT * FROM information_schema.tables',
    'SELECT 1 UNION ALL SELECT count() FROM system.settings',
    'SELECT 1 EXCEPT SELECT count() FROM system.settings',
    'SELECT * FROM schema_steps',
    'SELECT device FROM devices WHERE device IN system.tables',
    'SELECT device FROM devices WHERE (device, 1) NOT IN system.tables',
    'SELECT device FROM devices WHERE device GLOBAL IN system.tables',
    // Other statements, several, and ways out.
    'SELECT 1; DROP TABLE devices',
    "SELECT 1) , (SELECT file('x')",
    'SELECT 1 SETTINGS readonly = 0',
    'SELECT 1 FORMAT Native',
    `SELECT 1 INTO OUTFILE '${out}'`,
    `SELECT 1 INTO/**/OUTFILE '${out}'`,
    `SELECT 1 -- \n INTO OUTFILE '${out}'`,
    'INSERT INTO devices SELECT * FROM devices',
    'DROP TABLE devices',
    'CREATE TABLE x (a Int64) ENGINE = Memory',
    'SET readonly = 0',
    'SYSTEM SHUTDOWN',
    'EXPLAIN SELECT 1',
    'SHOW TABLES',
    'ATTACH TABLE x',
    'SELECT {a:String}',
    'SELECT $$a$$',
    "SELECT 'open",
    'SELECT /* open',
    '',
  ])('refuses %s', async (sql) => {
    await expect(store.sql(sql)).rejects.toMatchObject({ code: 'WW_USAGE' });
    expect(existsSync(out)).toBe(false);
    expect((await store.sql('SELECT count() FROM devices')).rows).toEqual([[2]]);
  });

  it('says what is wrong and what would be right', async () => {
    await expect(store.sql('SELECT nonsense FROM devices')).rejects.toThrow(/nonsense/);
    await expect(store.sql('SELECT * FROM device')).rejects.toMatchObject({
      message: 'There is no table `device` here.',
      remedy: expect.stringContaining('devices') as string,
    });
  });

  it('stops at its limits of rows and time', async () => {
    const many = await store.sql('SELECT arrayJoin(range(100000)) AS x FROM devices');
    expect(many.rows).toHaveLength(100);
    expect(many.truncated).toBe(true);
    const product =
      'SELECT sum(a.x * b.x) FROM (SELECT arrayJoin(range(300000)) x) a, (SELECT arrayJoin(range(300000)) x) b';
    await expect(store.sql(product)).rejects.toThrow(/longer than 2 s|more memory/);
    await expect(store.sql('SELECT groupArray(x) FROM (SELECT arrayJoin(range(90000000)) x)')).rejects.toMatchObject({
      code: 'WW_USAGE',
    });
  }, 30_000);

  it('makes the same statement of a statement that it has made', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 30 }), (text, raw) => {
        const quoted = text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
        const once = normaliseSql(`SELECT '${quoted}' AS x`);
        expect(normaliseSql(once)).toBe(once);
        try {
          const any = normaliseSql(`SELECT ${raw}`);
          expect(normaliseSql(any)).toBe(any);
        } catch (error) {
          expect(error).toMatchObject({ code: 'WW_USAGE' });
        }
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});
