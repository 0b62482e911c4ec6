import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';
import { Browser, PASSWORD, codeAt, makePeople, openApp } from './people.ts';

const MINUTE = 60_000;
let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

describe('sign-in with a password', () => {
  it('opens a session that a cookie of the browser alone carries', async () => {
    const people = makePeople();
    await people.add('ada', 'analyst');
    const browser = new Browser(await openApp(site, people));
    expect((await browser.ask('GET', '/api/v1/alerts')).statusCode).toBe(401);
    const answer = await browser.signIn(' ADA ');
    expect(answer.json()).toMatchObject({ user: { name: 'ada', role: 'analyst', vlans: null } });
    expect(answer.headers['set-cookie']).toMatch(/^wardwatch=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect((await browser.ask('GET', '/api/v1/alerts')).statusCode).toBe(200);
    // What is stored opens nothing.
    const [, secret] = [...browser.cookies].find(([name]) => name === 'wardwatch')!;
    expect(JSON.stringify(people.desk.prepare('SELECT * FROM sessions').all())).not.toContain(secret);

    expect((await browser.ask('DELETE', '/api/v1/session')).statusCode).toBe(204);
    browser.cookies.set('wardwatch', secret);
    expect((await browser.ask('GET', '/api/v1/alerts')).statusCode).toBe(401);
  });

  it('takes no session that was there before (fixation)', async () => {
    const people = makePeople();
    await people.add('ada', 'viewer');
    const browser = new Browser(await openApp(site, people));
    browser.cookies.set('wardwatch', 'a'.repeat(43));
    await browser.signIn('ada');
    const first = browser.cookies.get('wardwatch');
    expect(first).not.toBe('a'.repeat(43));
    await browser.signIn('ada');
    expect(browser.cookies.get('wardwatch')).not.toBe(first);
    expect(people.access.sessions.find(first!)).toBeUndefined();
  });

  it('says the same of a wrong password and of a name that does not exist', async () => {
    const people = makePeople();
    await people.add('ada', 'viewer');
    const browser = new Browser(await openApp(site, people));
    const [wrong, unknown] = [await browser.signIn('ada', 'not it at all, no'), await browser.signIn('nobody')];
    expect(wrong.statusCode).toBe(401);
    expect(unknown.json()).toEqual(wrong.json());
    // The name that was typed may be a password in the wrong field.
    expect(people.access.audit.list(2).map(({ who }) => who)).toEqual(['', 'ada']);
  });

  it('ends when nobody uses it, and at the latest after its time', async () => {
    const people = makePeople({ idle_minutes: 30, session_hours: 2 });
    await people.add('ada', 'viewer');
    const browser = new Browser(await openApp(site, people));
    const works = async (headers = {}) => (await browser.ask('GET', '/api/v1/status', undefined, headers)).statusCode;
    await browser.signIn('ada');
    for (let i = 0; i < 5; i++) {
      await people.clock.advance(20 * MINUTE);
      expect(await works()).toBe(200);
    }
    await people.clock.advance(20 * MINUTE);
    expect(await works()).toBe(401);

    await browser.signIn('ada');
    await people.clock.advance(20 * MINUTE);
    // What the console asks for by itself, and its event stream, do not keep it alive.
    expect(await works({ 'x-wardwatch': 'background' })).toBe(200);
    await people.clock.advance(11 * MINUTE);
    expect(await works()).toBe(401);
  });

  it('doubles the wait with each wrong one up to the longest', async () => {
    const people = makePeople({ failures: 3, wait_seconds: 30, longest_wait_minutes: 2 });
    await people.add('ada', 'viewer');
    const app = await openApp(site, people);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      expect((await new Browser(app, `192.0.2.${i}`).signIn('ada', 'wrong wrong wrong')).statusCode).toBe(401);
      const refused = await new Browser(app, `192.0.2.${100 + i}`).ask('POST', '/api/v1/session', {
        name: 'ada',
        password: i < 2 ? 'wrong wrong wrong' : PASSWORD,
      });
      if (refused.statusCode !== 429) continue;
      waits.push(Number(refused.headers['retry-after']));
      await people.clock.advance(Number(refused.headers['retry-after']) * 1000);
    }
    expect(waits).toEqual([30, 60, 120, 120, 120, 120, 120]);
    // The wait ends by itself, and the right password clears it.
    expect((await new Browser(app, '192.0.2.200').signIn('ada')).statusCode).toBe(200);
  });

  it('waits by address as well, an IPv6 network counting as one', async () => {
    const people = makePeople({ failures: 2 });
    const app = await openApp(site, people);
    let n = 0;
    const tries = async (address: (i: number) => string) => {
      for (let i = 0; i < 20; i++) {
        const answer = await new Browser(app, address(i)).signIn(`user${n++}`);
        if (answer.statusCode === 429) return i;
      }
      return -1;
    };
    expect(await tries(() => '198.51.100.7')).toBe(12);
    expect(await tries((i) => `2001:db8:1:2::${i}`)).toBe(12);
    expect(await tries((i) => `198.51.101.${i}`)).toBe(-1);
  });

  it('refuses hostile input without failing', async () => {
    const people = makePeople();
    await people.add('ada', 'viewer');
    const app = await openApp(site, people);
    let i = 0;
    const status = async (body: object) =>
      (await new Browser(app, `192.0.2.${i++}`).ask('POST', '/api/v1/session', body)).statusCode;
    expect(await status({ name: 'ada', password: 'x'.repeat(2000) })).toBe(400);
    expect(await status({ name: 'ada', password: '\u0000\uD800'.repeat(200) })).toBe(401);
    expect(await status({ name: 'ada\r\nSet-Cookie: a=b', password: PASSWORD })).toBe(401);
    expect(await status({ name: "' OR 1=1 --", password: PASSWORD })).toBe(401);
    expect(await status({ name: 'ada' })).toBe(400);
    expect(await status({ name: 'ada', password: PASSWORD, role: 'admin' })).toBe(400);
    expect(await status({ name: '__proto__', password: PASSWORD })).toBe(401);
    const lines = [...people.access.audit.lines()];
    for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
    expect(people.access.audit.verify()).toMatchObject({ ok: true });
  });

  it('is the same password in another form of Unicode', async () => {
    const people = makePeople();
    const password = 'Übergrößenträger schläft früh';
    await people.access.addUser({ name: 'ada', role: 'viewer' });
    await people.access.changePassword(people.access.users.get('ada'), password.normalize('NFD'), undefined);
    const browser = new Browser(await openApp(site, people));
    expect((await browser.signIn('ada', password.normalize('NFC'))).statusCode).toBe(200);
  });
});

describe('passwords', () => {
  it('are judged by length and by how usual they are', () => {
    const { access } = makePeople();
    const wrong = (password: string) => {
      try {
        access.checkPassword(password, 'ada.lovelace');
        return false;
      } catch {
        return true;
      }
    };
    for (const password of [
      'short one',
      'passwordpassword',
      'P@ssw0rd-P@ssw0rd!',
      'aaaaaaaaaaaaaaaaaaaa',
      '123456789012345678',
      'qwertyuiopasdfghjkl',
      'wardwatch-admin-2026',
      'ada.lovelace-ada.lovelace',
      'Summer2026!Hospital',
      'x'.repeat(300),
    ])
      expect(wrong(password), password).toBe(true);
    for (const password of [
      PASSWORD,
      'correct horse battery staple',
      'ganz viele bunte Schirme',
      'ключ под ковриком дома',
    ])
      expect(wrong(password), password).toBe(false);
  });

  it('are changed at the first sign-in, before anything else', async () => {
    const people = makePeople();
    const { password } = await people.access.addUser({ name: 'ada', role: 'admin' });
    const app = await openApp(site, people);
    const browser = new Browser(app);
    expect((await browser.signIn('ada', password)).json()).toMatchObject({ user: { pending: 'password' } });
    const refused = await browser.ask('GET', '/api/v1/alerts');
    expect([refused.statusCode, refused.json<{ type: string }>().type]).toEqual([
      403,
      'urn:wardwatch:problem:pending-password',
    ]);
    const change = (current: string, next: string) => browser.ask('PUT', '/api/v1/account/password', { current, next });
    expect((await change('not the password', PASSWORD)).statusCode).toBe(403);
    expect((await change(password, 'password12345678')).statusCode).toBe(400);
    expect((await change(password, password)).statusCode).toBe(400);
    const other = new Browser(app, '192.0.2.99');
    await other.signIn('ada', password);
    expect((await change(password, PASSWORD)).json()).toMatchObject({ user: { pending: null } });
    expect((await browser.ask('GET', '/api/v1/alerts')).statusCode).toBe(200);
    // Whoever was in with the old one is out.
    expect((await other.ask('GET', '/api/v1/session')).json()).toMatchObject({ user: null });
  });
});

describe('the second factor', () => {
  it('is enrolled with a code, asked for from then on, and each code works once', async () => {
    const people = makePeople();
    await people.add('ada', 'viewer');
    const app = await openApp(site, people);
    const browser = new Browser(app);
    await browser.signIn('ada');
    const offered = await browser.ask('POST', '/api/v1/account/second-factor', { password: PASSWORD });
    const { secret, uri } = offered.json<{ secret: string; uri: string }>();
    expect(uri).toMatch(/^otpauth:\/\/totp\/Wardwatch:ada\?issuer=Wardwatch&secret=[A-Z2-7]{32}&/);
    // Offered is not enrolled.
    expect((await new Browser(app).signIn('ada')).statusCode).toBe(200);
    const now = () => people.clock.now();
    expect((await browser.ask('PUT', '/api/v1/account/second-factor', { code: '000000' })).statusCode).toBe(403);
    const done = await browser.ask('PUT', '/api/v1/account/second-factor', { code: codeAt(secret, now()) });
    const { codes } = done.json<{ codes: string[] }>();
    expect(codes).toHaveLength(10);

    const signIn = (code?: string) => new Browser(app).signIn('ada', PASSWORD, code);
    expect((await signIn()).json()).toMatchObject({ type: 'urn:wardwatch:problem:second-factor' });
    expect((await signIn(codeAt(secret, now()))).statusCode).toBe(401);
    await people.clock.advance(30_000);
    expect((await signIn(codeAt(secret, now()))).statusCode).toBe(200);
    expect((await signIn(codeAt(secret, now()))).statusCode).toBe(401);
    await people.clock.advance(10 * MINUTE);
    expect((await signIn(codeAt(secret, now() - 5 * MINUTE))).statusCode).toBe(401);

    expect((await signIn(codes[0]!.toLowerCase().replaceAll('-', ' '))).statusCode).toBe(200);
    expect((await signIn(codes[0])).statusCode).toBe(401);
    expect(JSON.stringify(people.desk.prepare('SELECT hash FROM recovery_codes').all())).not.toContain(codes[1]);
  });

  it('cannot be guessed past the waits by asking without a code in between', async () => {
    const people = makePeople({ failures: 3 });
    await people.add('ada', 'viewer');
    const ada = people.access.users.get('ada');
    const { secret } = people.access.offerTotp(ada);
    people.access.confirmTotp(ada, codeAt(secret, people.clock.now()));
    const app = await openApp(site, people);
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) {
      statuses.push((await new Browser(app, `192.0.2.${i}`).signIn('ada', PASSWORD, '000000')).statusCode);
      statuses.push((await new Browser(app, `192.0.3.${i}`).signIn('ada')).statusCode);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429, 429, 429]);
  });

  it('is owed where the configuration asks for it', async () => {
    const people = makePeople({ second_factor: 'admins' });
    await people.add('ada', 'admin');
    await people.add('eve', 'viewer');
    const app = await openApp(site, people);
    const [ada, eve] = [new Browser(app), new Browser(app)];
    expect((await ada.signIn('ada')).json()).toMatchObject({ user: { pending: 'second-factor' } });
    expect((await ada.ask('GET', '/api/v1/users')).statusCode).toBe(403);
    expect((await eve.signIn('eve')).json()).toMatchObject({ user: { pending: null } });
  });
});

describe('the first admin', () => {
  it('is made once, by the code on the terminal', async () => {
    const people = makePeople();
    const app = await openApp(site, people);
    const browser = new Browser(app);
    expect((await browser.ask('GET', '/api/v1/session')).json()).toMatchObject({ first_admin: true, user: null });
    const make = (code: string, name: string, password = PASSWORD) =>
      browser.ask('POST', '/api/v1/first-admin', { code, name, password });
    expect((await make('AAAA-BBBB-CCCC-DDDD-EEEE', 'root')).statusCode).toBe(403);
    const code = people.access.setupCode()!;
    expect((await make(code, 'root', 'rootrootrootroot')).statusCode).toBe(400);
    expect((await make(code, '../etc', PASSWORD)).statusCode).toBe(400);
    expect((await make(code.toLowerCase(), 'Root')).json()).toMatchObject({ user: { name: 'root', role: 'admin' } });
    expect((await make(code, 'second')).statusCode).toBe(403);
    expect(people.access.setupCode()).toBeUndefined();
  });
});

describe('other sites', () => {
  it('can neither act nor look with the session of a browser', async () => {
    const people = makePeople();
    await people.add('ada', 'admin');
    const browser = new Browser(await openApp(site, people));
    await browser.signIn('ada');
    const status = async (method: 'GET' | 'POST', url: string, headers: Record<string, string>) =>
      (await browser.ask(method, url, method === 'POST' ? { name: 'x', role: 'admin' } : undefined, headers))
        .statusCode;
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://localhost:9999' },
    ]) {
      expect(await status('POST', '/api/v1/users', headers), JSON.stringify(headers)).toBe(403);
      expect(await status('GET', '/api/v1/events', headers), JSON.stringify(headers)).toBe(403);
      expect(await status('POST', '/api/v1/session', headers), JSON.stringify(headers)).toBe(403);
    }
    expect(people.access.users.list()).toHaveLength(1);
    expect(await status('POST', '/api/v1/users', { origin: 'http://localhost' })).toBe(200);
  });
});
