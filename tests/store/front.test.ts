import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFront } from '../support/clickhouse/start.ts';
import type { TestServer } from '../support/clickhouse/start.ts';

/** The tests' stand-in for a server answers as ClickHouse's documentation of its HTTP interface says. */
describe('the ClickHouse front of the tests', () => {
  let front: TestServer;
  beforeAll(async () => {
    front = await startFront({});
  });
  afterAll(() => front.stop());

  const ask = (query: Record<string, string>, init: { method?: string; body?: string } = {}): Promise<Response> =>
    fetch(`${front.url}/?${new URLSearchParams(query).toString()}`, {
      ...init,
      headers: { 'X-ClickHouse-User': front.username, 'X-ClickHouse-Key': front.password },
    });

  it('answers a ping without a password, and nothing else', async () => {
    expect(await (await fetch(`${front.url}/ping`)).text()).toBe('Ok.\n');
    const refused = await fetch(`${front.url}/?query=SELECT+1`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('x-clickhouse-exception-code')).toBe('516');
  });

  it('takes a query from the address or the body, with parameters as the engine reads them', async () => {
    expect(await (await ask({ query: 'SELECT 1 AS one', default_format: 'JSONEachRow' })).text()).toBe('{"one":1}\n');
    const typed = await ask(
      { param_list: "['it\\'s','b\\\\c']", param_text: "tab\\tquote'", param_n: '7' },
      {
        method: 'POST',
        body: 'SELECT {list:Array(String)} AS l, {text:String} AS t, {n:UInt8} AS n FORMAT JSONEachRow',
      },
    );
    expect(await typed.json()).toEqual({ l: ["it's", 'b\\c'], t: "tab\tquote'", n: 7 });
  });

  it('inserts the body and reads it back, also within another database', async () => {
    const post = (query: string, body = ''): Promise<Response> => ask({ query }, { method: 'POST', body });
    await post('CREATE DATABASE other');
    await post('CREATE TABLE other.t (x String) ENGINE = MergeTree ORDER BY x');
    await post('INSERT INTO other.t FORMAT JSONEachRow', '{"x":"a;b"}\n{"x":"c"}\n');
    expect(await (await ask({ query: 'SELECT x FROM t ORDER BY x', database: 'other' })).text()).toBe('a;b\nc\n');
  });

  it('forgets the settings of a request', async () => {
    const value = async (settings: Record<string, string>): Promise<string> =>
      (await ask({ query: "SELECT getSetting('max_block_size')", ...settings })).text();
    const before = await value({});
    expect(await value({ max_block_size: '777' })).toBe('777\n');
    expect(await value({})).toBe(before);
  });

  it.each([
    [{ query: 'SELECT FROM FROM' }, 400, '62'],
    [{ query: 'SELECT 1 FROM nowhere' }, 404, '60'],
    [{ query: 'CREATE DATABASE by_get' }, 403, '164'],
    [{ query: 'SELECT 1', no_such_setting: '1' }, 404, '115'],
  ])('says what is wrong with %o', async (query, status, code) => {
    const response = await ask(query);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-clickhouse-exception-code')).toBe(code);
    expect(await response.text()).toContain(`Code: ${code}. DB::Exception`);
  });
});
