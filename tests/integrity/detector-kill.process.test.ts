/**
 * Detectors that die at random moments, over a real broker and a ClickHouse front: the rows afterwards are those of
 * a detector that was left alone, ids included. A few deaths in the daily loop; WARDWATCH_KILLS=50 for the whole.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPrng } from '../../src/lib/prng.ts';
import { killAll, start } from '../roles/roles.ts';
import type { Role } from '../roles/roles.ts';
import { startClickHouse } from '../support/clickhouse/start.ts';
import { describeWithBroker } from '../support/kafka/shared.ts';

const LEARN = resolve('demo/learn.pcap.gz');
const ATTACK = resolve('demo/attack-1.pcap.gz');
const KILLS = Number(process.env['WARDWATCH_KILLS'] ?? 3);
const SLOW = 300_000 + KILLS * 60_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-kill-'));
});
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

describeWithBroker('a detector that is killed', (brokers) => {
  test(
    'again and again leaves the alerts of one that is not',
    async () => {
      const clickhouse = await startClickHouse();
      try {
        const topic = `frames-${randomUUID()}`;
        const site = (name: string): { env: Record<string, string>; cwd: string } => ({
          cwd: mkdtempSync(join(folder, `${name}-`)),
          env: {
            WARDWATCH_BUS__KAFKA__BROKERS: brokers(),
            WARDWATCH_BUS__KAFKA__TOPIC: topic,
            WARDWATCH_BUS__KAFKA__GROUP_ID: `${topic}-${name}`,
            WARDWATCH_BUS__KAFKA__PARTITIONS: '1',
            WARDWATCH_BUS__KAFKA__SESSION_TIMEOUT_MS: '6000',
            WARDWATCH_STATE__EVERY_S: '1',
            // Beside the data of the one machine; the other faults have it in the store.
            WARDWATCH_STATE__STORE: 'folder',
            WARDWATCH_STORE__MODE: 'server',
            WARDWATCH_STORE__SERVER__URL: clickhouse.url,
            WARDWATCH_STORE__SERVER__USERNAME: clickhouse.username,
            WARDWATCH_STORE__SERVER__PASSWORD_ENV: 'KILL_PASSWORD',
            WARDWATCH_STORE__DATABASE: `kill_${name}`,
            KILL_PASSWORD: clickhouse.password,
          },
        });
        const run = async (role: Role): Promise<string> => {
          role.child.stdin.end();
          expect(await role.ended, role.output()).toBe(0);
          return role.output();
        };
        const calm = site('calm');
        const rough = site('rough');
        await run(start(['topics', 'create'], calm.env, calm.cwd));
        await run(start(['sensor', LEARN], calm.env, calm.cwd));
        await run(start(['sensor', ATTACK], calm.env, calm.cwd));
        await run(start(['detector', '--exit'], calm.env, calm.cwd));

        const random = createPrng(11);
        for (let i = 0; i < KILLS; i++) {
          const detector = start(['detector', '--exit'], rough.env, rough.cwd);
          detector.child.stdin.end();
          await Promise.race([new Promise((settle) => setTimeout(settle, 1500 + random.int(9000))), detector.ended]);
          detector.child.kill('SIGKILL');
          await detector.ended;
        }
        await run(start(['detector', '--exit'], rough.env, rough.cwd));

        const ask = async (database: string, what: string): Promise<string[]> => {
          const answer = await fetch(`${clickhouse.url}/?database=${database}`, {
            method: 'POST',
            body: what,
            headers: {
              authorization: `Basic ${Buffer.from(`${clickhouse.username}:${clickhouse.password}`).toString('base64')}`,
            },
          });
          const text = await answer.text();
          expect(answer.status, text).toBe(200);
          return text.trimEnd().split('\n');
        };
        const alerts =
          'SELECT uid, version, severity_id, time, title, message FROM alerts FINAL ORDER BY uid FORMAT TSV';
        const undisturbed = await ask('kill_calm', alerts);
        expect(undisturbed.length).toBeGreaterThan(1);
        expect(await ask('kill_rough', alerts)).toEqual(undisturbed);
        const flows = 'SELECT uid, conn_state, orig_bytes, resp_bytes FROM flows GROUP BY ALL ORDER BY ALL FORMAT TSV';
        expect(await ask('kill_rough', flows)).toEqual(await ask('kill_calm', flows));

        // What lies on the disk holds nothing that a patient could be known by.
        const state = join(rough.cwd, 'data/state');
        const names = readdirSync(state, { recursive: true, encoding: 'utf8' });
        expect(names.filter((name) => name.endsWith('.manifest')).length).toBeGreaterThan(0);
        for (const name of names.filter((n) => n.endsWith('.partial')))
          expect(readFileSync(join(state, name))).toBeDefined();
      } finally {
        await clickhouse.stop();
      }
    },
    SLOW,
  );
});
