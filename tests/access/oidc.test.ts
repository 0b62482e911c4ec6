import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';
import { Browser, makePeople, openApp } from './people.ts';

const PUBLIC_URL = 'http://localhost:8642';
/** Groups and VLANs of the people whom the provider knows. */
const ACCOUNTS: Record<string, { groups: string[]; vlans: string[] }> = {
  grace: { groups: ['staff', 'soc', 'biomed'], vlans: ['220'] },
  mallory: { groups: ['staff'], vlans: [] },
  'ada\r\nx: y': { groups: ['soc'], vlans: [] },
};

let site: Site;
let server: Server;
let issuer: string;

beforeAll(async () => {
  site = await openSite();
  // The port has to be known before the provider is made: its name is part of every token.
  const { createServer } = await import('node:http');
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'wardwatch',
        client_secret: 'a secret of the client',
        redirect_uris: [`${PUBLIC_URL}/api/v1/oidc/callback`],
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups', 'vlans'] },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, ...ACCOUNTS[id] }),
    }),
  });
  const answer = provider.callback();
  server.on('request', (request, response) => void answer(request, response));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await site.close();
});

/** Signs in at the provider's own pages, as a person in a browser does; where it sends the browser in the end. */
async function atProvider(start: string, account: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  let form: URLSearchParams | undefined;
  for (let i = 0; i < 20; i++) {
    const answer = await fetch(url, {
      redirect: 'manual',
      method: form === undefined ? 'GET' : 'POST',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === undefined ? {} : { body: form }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      cookies.set(name!, value!);
    }
    form = undefined;
    const to = answer.headers.get('location');
    if (to !== null) {
      url = new URL(to, url);
      if (url.href.startsWith(PUBLIC_URL)) return url;
      continue;
    }
    const page = await answer.text();
    const action = /<form[^>]*action="([^"]+)"/.exec(page)?.[1];
    if (action === undefined) throw new Error(`the provider answers ${answer.status}: ${page.slice(0, 300)}`);
    url = new URL(action, url);
    form = page.includes('name="login"')
      ? new URLSearchParams({ prompt: 'login', login: account, password: 'any' })
      : new URLSearchParams({ prompt: 'consent' });
  }
  throw new Error('the provider does not come to an end');
}

function people(vlansClaim = false) {
  process.env['WARDWATCH_TEST_OIDC_SECRET'] = 'a secret of the client';
  return makePeople({
    oidc: {
      issuer,
      client_id: 'wardwatch',
      client_secret_env: 'WARDWATCH_TEST_OIDC_SECRET',
      public_url: PUBLIC_URL,
      label: 'the hospital',
      scope: 'openid profile',
      name_claim: 'preferred_username',
      groups_claim: 'groups',
      ...(vlansClaim ? { vlans_claim: 'vlans' } : {}),
      roles: { viewer: [], analyst: ['soc'], engineer: ['biomed'], admin: [] },
      insecure_http: true,
    },
  });
}

describe('single sign-on with a real provider', () => {
  it('signs in with the role of the highest group and the VLANs of the claim', async () => {
    const all = people(true);
    const browser = new Browser(await openApp(site, all));
    const started = await browser.ask('GET', '/api/v1/oidc/start?to=/devices%3Ftype%3Dpacs');
    const address = new URL(started.headers.location!);
    expect(address.searchParams.get('code_challenge_method')).toBe('S256');
    expect(started.headers['set-cookie']).toMatch(/HttpOnly; SameSite=Lax/);
    const back = await atProvider(address.href, 'grace');
    const done = await browser.ask('GET', back.pathname + back.search, undefined, { 'sec-fetch-site': 'cross-site' });
    expect([done.statusCode, done.headers.location]).toEqual([302, '/devices?type=pacs']);
    expect((await browser.ask('GET', '/api/v1/session')).json()).toMatchObject({
      user: { name: 'grace', role: 'engineer', source: 'oidc', vlans: ['220'], pending: null },
    });
    // The answer of the provider works once, and in the browser that began alone.
    const again = await browser.ask('GET', back.pathname + back.search);
    expect(again.headers.location).toMatch(/^\/sign-in\?refused=/);
  });

  it('refuses who has no group, a stranger’s answer, and the name of a local user', async () => {
    const all = people();
    const app = await openApp(site, all);
    const through = async (account: string, other?: Browser) => {
      const browser = new Browser(app);
      const started = await browser.ask('GET', '/api/v1/oidc/start');
      const back = await atProvider(started.headers.location!, account);
      const done = await (other ?? browser).ask('GET', back.pathname + back.search);
      return decodeURIComponent(done.headers.location!);
    };
    expect(await through('mallory')).toContain('no group of yours');
    expect(await through('grace', new Browser(app))).toContain('not begun here');
    await all.add('grace', 'viewer');
    expect(await through('grace')).toContain('local user of that name');
    expect(await through('ada\r\nx: y')).toBe('/');
    expect(all.access.users.list().map((user) => user.name)).toEqual(['ada--x--y', 'grace']);
    expect(all.access.audit.list(9).filter((entry) => entry.outcome === 'refused')).toHaveLength(3);
  });

  it('leads nowhere but into this console', async () => {
    const all = people();
    const app = await openApp(site, all);
    for (const to of [
      '//evil.example/',
      'https://evil.example/',
      '/\\evil.example',
      '/api/v1/session',
      'x',
      '/a\r\nb: c',
    ]) {
      const browser = new Browser(app);
      const started = await browser.ask('GET', `/api/v1/oidc/start?to=${encodeURIComponent(to)}`);
      const back = await atProvider(started.headers.location!, 'grace');
      const done = await browser.ask('GET', back.pathname + back.search);
      expect(done.headers.location, to).toBe('/');
    }
  });
});
