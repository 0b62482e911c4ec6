import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { TOTP, Secret } from 'otpauth';
import { Value } from 'typebox/value';
import { afterEach } from 'vitest';
import { accessConfigSchema } from '../../src/access/config.ts';
import type { AccessConfig } from '../../src/access/config.ts';
import { Access } from '../../src/access/index.ts';
import type { Role } from '../../src/access/roles.ts';
import { hashPassword } from '../../src/access/secrets.ts';
import { buildApp } from '../../src/api/app.ts';
import type { ApiConfig } from '../../src/api/config.ts';
import { openDatabase } from '../../src/desk/database.ts';
import type { Site } from '../api/site.ts';
import { TestClock } from '../desk/bench.ts';

export const PASSWORD = 'kestrel under a copper bridge';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

export interface People {
  readonly path: string;
  readonly desk: DatabaseSync;
  readonly clock: TestClock;
  readonly access: Access;
  add(name: string, role: Role, scope?: { vlans?: string[]; sites?: string[] }): Promise<void>;
}

/** A desk of its own with a clock that stands still, and people over it. */
export function makePeople(config: Partial<AccessConfig> = {}, auditKey?: string): People {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-access-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'desk.sqlite');
  const desk = openDatabase(path);
  cleanups.push(() => desk.close());
  const clock = new TestClock();
  if (auditKey !== undefined) {
    config = { ...config, audit_key_file: join(folder, 'audit.key') };
    writeFileSync(join(folder, 'audit.key'), auditKey);
  }
  const access = new Access(Value.Default(accessConfigSchema, { sign_in: 'required', ...config }) as AccessConfig, {
    desk,
    clock,
  });
  return {
    path,
    desk,
    clock,
    access,
    async add(name, role, scope = {}) {
      access.users.add({ name, role, password: await hashPassword(PASSWORD), scope });
    },
  };
}

/** The real app over them, not listening. */
export async function openApp(site: Site, people: People, config: Partial<ApiConfig> = {}): Promise<FastifyInstance> {
  const app = await buildApp(site.config({ requests_per_minute: 100_000, ...config }), {
    ...site.deps,
    access: people.access,
  });
  cleanups.push(() => app.close());
  return app;
}

/** A browser: keeps its cookies, and says what browsers say. */
export class Browser {
  readonly #app: FastifyInstance;
  readonly #address: string;
  readonly cookies = new Map<string, string>();

  constructor(app: FastifyInstance, address = '192.0.2.10') {
    this.#app = app;
    this.#address = address;
  }

  async ask(method: InjectOptions['method'], url: string, body?: object, headers: Record<string, string> = {}) {
    const answer = await this.#app.inject({
      method: method ?? 'GET',
      url,
      remoteAddress: this.#address,
      headers: { host: 'localhost', 'x-wardwatch': 'console', 'sec-fetch-site': 'same-origin', ...headers },
      cookies: Object.fromEntries(this.cookies),
      ...(body === undefined ? {} : { payload: body }),
    });
    for (const { name, value } of answer.cookies) {
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  signIn(name: string, password = PASSWORD, code?: string) {
    return this.ask('POST', '/api/v1/session', { name, password, ...(code === undefined ? {} : { code }) });
  }
}

/** What an authenticator program shows. */
export function codeAt(secret: string, ms: number): string {
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: ms });
}
