import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import cookie from '@fastify/cookie';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mayAct, ROLES } from '../../src/access/roles.ts';
import { registerAccess } from '../../src/api/access.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';
import { Browser, makePeople, openApp } from './people.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

describe('the rules of the routes', () => {
  it('hold for every route, every role and nobody', async () => {
    const people = makePeople();
    const app = await openApp(site, people);
    // One who stays: the last admin cannot be taken away.
    people.access.users.add({ name: 'keeper', role: 'admin' });
    for (const role of ROLES) people.access.users.add({ name: role, role });
    const rules = app.routeRules();
    expect(rules.length).toBeGreaterThan(40);
    for (const { method, url, access } of rules) {
      const path = url.replaceAll(/:\w+/g, '1').replace('*', 'none');
      const ask = async (secret?: string) => {
        const answer = await app.inject({
          method: method as 'GET',
          url: path,
          ...(secret === undefined ? {} : { cookies: { wardwatch: secret } }),
          // Not what any route takes: it is refused or found wrong, and changes nothing.
          ...(method === 'GET' || method === 'HEAD' ? {} : { payload: { nonsense: true } }),
          headers: { host: 'localhost', 'x-wardwatch': 'console' },
        });
        return answer.json<{ type?: string }>().type?.split(':').at(-1) ?? answer.statusCode;
      };
      const name = `${method} ${url}`;
      // An event stream does not end; pages to print are no JSON.
      const stream = url.endsWith('/events') || url.endsWith('/report') || url.endsWith('/print');
      if (access.role === 'public') continue;
      expect(await ask().catch(() => 'none'), name).toBe(method === 'HEAD' ? 'none' : 'not-signed-in');
      for (const role of ROLES) {
        if (stream && mayAct(role, access.role)) continue;
        const { secret } = people.access.sessions.open(people.access.users.get(role), '192.0.2.1', '');
        const said = await ask(secret).catch(() => 'no JSON');
        if (mayAct(role, access.role)) expect(['not-allowed', 'not-signed-in'], `${name} ${role}`).not.toContain(said);
        else expect(said, `${name} ${role}`).toBe(method === 'HEAD' ? 'no JSON' : 'not-allowed');
      }
    }
  }, 300_000);

  it('stand in the reference', async () => {
    const app = await openApp(site, makePeople());
    const page = readFileSync('docs/reference/access.md', 'utf8');
    for (const { method, url, access } of app.routeRules())
      if (method !== 'HEAD') expect(page).toContain(`| \`${method}\` | \`${url}\` | ${access.role} |`);
  });

  it('are asked of every route at the start', async () => {
    const people = makePeople();
    const app = Fastify();
    await app.register(cookie);
    registerAccess(app, people.access);
    app.get('/forgotten', async () => 'secret');
    await expect(app.ready()).rejects.toThrow('GET /forgotten');
  });
});

describe('API tokens', () => {
  it('are shown once, never do more than their maker, and end at once when revoked or expired', async () => {
    const people = makePeople();
    await people.add('ada', 'analyst');
    const app = await openApp(site, people);
    const browser = new Browser(app);
    await browser.signIn('ada');
    const wanted = { name: 'siem', role: 'viewer', days: 30 };
    expect((await browser.ask('POST', '/api/v1/account/tokens', { ...wanted, role: 'admin' })).statusCode).toBe(403);
    const made = (await browser.ask('POST', '/api/v1/account/tokens', wanted)).json<{
      secret: string;
      token: { id: number };
    }>();
    expect((await browser.ask('GET', '/api/v1/account/tokens')).body).not.toContain(made.secret);
    const status = async (url = '/api/v1/alerts', token = made.secret) =>
      (await app.inject({ url, headers: { host: 'localhost', authorization: `Bearer ${token}` } })).statusCode;
    expect(await status()).toBe(200);
    expect(await status('/api/v1/alerts', `${made.secret}x`)).toBe(401);
    expect(await status('/api/v1/users')).toBe(403);
    // A token cannot make another one, nor change the account.
    expect(await status('/api/v1/account/tokens')).toBe(403);
    expect(
      (await app.inject({ url: `/api/v1/alerts?access_token=${made.secret}`, headers: { host: 'localhost' } }))
        .statusCode,
    ).toBe(400);
    await people.clock.advance(31 * 86_400_000);
    expect(await status()).toBe(401);
    const ada = people.access.users.get('ada');
    const other = people.access.tokens.create(ada, { name: 'x', role: 'viewer', days: 1 });
    expect(await status('/api/v1/alerts', other.secret)).toBe(200);
    people.access.users.setDisabled(ada, true);
    expect(await status('/api/v1/alerts', other.secret)).toBe(401);
  });
});

describe('the audit log', () => {
  it('has sign-ins, refusals, views of evidence, exports and changes', async () => {
    const people = makePeople();
    await people.add('root', 'admin');
    await people.add('eve', 'viewer');
    const app = await openApp(site, people);
    const [root, eve] = [new Browser(app), new Browser(app, '192.0.2.66')];
    await root.signIn('root');
    await eve.signIn('eve', 'wrong wrong wrong');
    await eve.signIn('eve');
    await eve.ask('GET', '/api/v1/users');
    await eve.ask('GET', '/api/v1/alerts/a-c2-beacon-0001/flows');
    await eve.ask('GET', '/api/v1/export/alerts?text=a+patient');
    await root.ask('PATCH', '/api/v1/users/eve', { role: 'analyst' });
    const entries = (await root.ask('GET', '/api/v1/audit')).json<{ rows: Record<string, unknown>[] }>().rows;
    expect(entries.reverse().map(({ who, act, object, outcome }) => [who, act, object, outcome].join(' '))).toEqual([
      'root sign-in  done',
      'eve sign-in  refused',
      'eve sign-in  done',
      'eve GET /api/v1/users  refused',
      'eve evidence.viewed a-c2-beacon-0001 done',
      'eve alerts.exported  done',
      'root user.changed eve done',
    ]);
    // What somebody searched for may be anything, a name as well.
    expect(JSON.stringify(entries)).not.toContain('patient');
    expect((await root.ask('GET', '/api/v1/audit/verify')).json()).toMatchObject({ ok: true, keyed: false });
    const lines = (await root.ask('GET', '/api/v1/export/audit')).body.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(lines.map((_, i) => i + 1));
  });

  it('shows what was changed, taken out or cut off, and a log that was exchanged', () => {
    const key = 'k'.repeat(40);
    const make = () => {
      const people = makePeople({}, key);
      for (let i = 0; i < 20; i++) people.access.audit.write({ who: `u${i}`, act: 'test', outcome: 'done' });
      return people;
    };
    const good = make();
    const noted = good.access.audit.head();
    expect(good.access.audit.verify(noted)).toMatchObject({ ok: true, keyed: true, head: { seq: 20 } });
    const after = (sql: string) => {
      const { desk, access } = make();
      desk.exec(sql);
      return access.audit.verify();
    };
    expect(after(`UPDATE audit SET entry = replace(entry, '"u7"', '"u8"') WHERE seq = 8`)).toMatchObject({ seq: 8 });
    expect(after('DELETE FROM audit WHERE seq = 12')).toMatchObject({ ok: false, seq: 12 });
    expect(after('DELETE FROM audit WHERE seq > 15')).toMatchObject({ ok: false, seq: 16 });
    expect(after('DELETE FROM audit')).toMatchObject({ ok: false, seq: 1 });
    expect(
      after(`DELETE FROM audit WHERE seq > 15;
        UPDATE audit_head SET seq = 15, hash = (SELECT hash FROM audit WHERE seq = 15)`),
    ).toMatchObject({ ok: false, fault: 'the seal of the head is wrong' });
    expect(after('DELETE FROM audit_head')).toMatchObject({ ok: false });
    // Written anew by somebody without the key.
    const forged = makePeople();
    for (let i = 0; i < 20; i++) forged.access.audit.write({ who: 'nobody', act: 'test', outcome: 'done' });
    const { desk, access } = make();
    desk.exec(`ATTACH '${forged.path}' AS forged; DELETE FROM audit; INSERT INTO audit SELECT * FROM forged.audit;
      DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM forged.audit_head`);
    expect(access.audit.verify()).toMatchObject({ ok: false, seq: 1 });
    // An older copy of the log is whole in itself: the head that was noted elsewhere tells.
    good.access.audit.write({ who: 'later', act: 'test', outcome: 'done' });
    expect(make().access.audit.verify({ seq: 21, hash: good.access.audit.head().hash })).toMatchObject({
      ok: false,
      fault: 'the log ends before the known head at 21',
    });
  });
});
