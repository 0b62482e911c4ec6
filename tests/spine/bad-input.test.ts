import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { Feed } from '../../src/app/feed.ts';
import { buildHotPath } from '../../src/app/build.ts';
import { createMemoryBus } from '../../src/bus/memory/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { WardwatchError } from '../../src/kernel/errors.ts';
import type { FrameSource } from '../../src/kernel/frames.ts';
import type { FlowRow } from '../../src/kernel/rows.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { run } from '../commands/run-command.ts';
import { OUTPUTS, configWith, replayInto, useFolder } from './replays.ts';
import { start } from './started.ts';

/** Travels with the repository: a few seconds of the recorded ward, a scan among them. */
const LEARN = resolve('demo/learn.pcap.gz');
const SCAN = resolve('demo/attack-1.pcap.gz');

const folder = useFolder();
let plain: Buffer;
beforeAll(() => {
  plain = gunzipSync(readFileSync(SCAN));
});

function put(name: string, content: string | Uint8Array): string {
  const path = folder(name);
  writeFileSync(path, content);
  return path;
}

function summaryIn(dir: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8')) as Record<string, unknown>;
}

const count = (dir: string, output: string): number =>
  readFileSync(join(dir, output), 'utf8').split('\n').filter(Boolean).length;

/** Exactly: one line that says what is wrong, and one that says what to do. */
function expectOneClearLine(result: { code: number | null; stderr: string }, code: number, message: RegExp): void {
  expect(result.stderr).toMatch(message);
  const told = result.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  expect(told).toHaveLength(2);
  expect(told[0]).toMatch(/^wardwatch: .* \(WW_[A-Z_]+\)$/);
  expect(told[1]).toMatch(/^ {2}-> \S.{10}/);
  expect(result.code).toBe(code);
}

describe('a file that cannot be read', () => {
  it.each([
    ['is text', () => put('text.pcap', 'Patient list of ward 3\n'), 65, /text\.pcap is not a capture: .*text/],
    [
      'is another format',
      () => put('picture.pcap', Buffer.from('89504e470d0a1a0a00000000', 'hex')),
      65,
      /not a capture/,
    ],
    ['is empty', () => put('empty.pcap', ''), 65, /empty\.pcap is not a capture: it is empty/],
    ['is not there', () => folder('absent.pcap'), 66, /absent\.pcap does not exist/],
    ['is a directory', () => folder(), 66, /is a directory/],
  ])('because it %s', async (_why, make, code, message) => {
    const out = folder('unread');
    const result = await run(['replay', make(), '--out', out]);
    expectOneClearLine(result, code, message);
    expect(result.stdout).toBe('');
    expect(existsSync(join(out, 'summary.json'))).toBe(false);
  });

  it('because this user may not', async () => {
    const path = put('secret.pcap', plain.subarray(0, 5000));
    chmodSync(path, 0o000);
    const isRoot = process.getuid?.() === 0;
    // Root may read everything: another user is needed to be refused.
    const line = [process.execPath, resolve('bin/wardwatch.js'), 'inspect', path];
    chmodSync(folder(), 0o755);
    const result = spawnSync(line[0]!, line.slice(1), {
      encoding: 'utf8',
      ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}),
    });
    expectOneClearLine({ code: result.status, stderr: result.stderr }, 66, /secret\.pcap may not be read by this user/);
  });

  it('stops no other: nothing is begun', async () => {
    const out = folder('mixed');
    const result = await run(['replay', SCAN, put('later.pcap', 'no capture at all'), '--out', out]);
    expectOneClearLine(result, 65, /later\.pcap is not a capture/);
    expect(existsSync(join(out, 'alerts.ndjson'))).toBe(false);
  });
});

describe('a capture that is not whole', () => {
  it('ends in the middle of a packet: what came before is in the outputs', async () => {
    const out = folder('cut-out');
    const result = await run(['replay', put('cut.pcap', plain.subarray(0, 100_001)), '--out', out]);
    expect(result.code).toBe(0);
    expect(result.stderr).toBe('wardwatch: note: The capture ends inside a record: everything before it was read.\n');
    const summary = summaryIn(out);
    expect(summary['truncated']).toBe(true);
    expect(summary['frames_read']).toBeGreaterThan(100);
    expect(summary['frames_decoded']).toBe(summary['frames_read']);
    expect(count(out, 'flows.ndjson')).toBe(summary['flows']);
    expect(count(out, 'flows.ndjson')).toBeGreaterThan(10);
  });

  it('has a header and no packet', async () => {
    const out = folder('bare-out');
    const result = await run(['replay', put('bare.pcap', plain.subarray(0, 24)), '--out', out]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(summaryIn(out)).toMatchObject({ frames_read: 0, truncated: false, alerts: 0 });
    for (const output of OUTPUTS) expect(readFileSync(join(out, output), 'utf8')).toBe('');
  });

  it('is of a link that is not decoded: every frame is counted, and what to do is said', async () => {
    const bytes = Buffer.from(plain.subarray(0, 100_001));
    bytes.writeUInt32LE(147, 20);
    const out = folder('link-out');
    const result = await run(['replay', put('link.pcap', bytes), '--out', out]);
    expect(result.code).toBe(0);
    const summary = summaryIn(out);
    const frames = Number(summary['frames_read']);
    expect(summary).toMatchObject({ frames_decoded: 0, frames_undecodable: { unknown_link_type: frames } });
    expect(result.stderr).toMatch(`${frames} of ${frames} frames could not be decoded (unknown_link_type ${frames})`);
    expect(result.stderr).toMatch(/\n {2}-> .*inspect/);
  });

  it('fails while it is read: what was read before is processed, then the error is told', async () => {
    const config = configWith();
    const flows: FlowRow[] = [];
    const settings = { config, seed: 1, stage: 'all', productVersion: '0.0.0' } as const;
    const { hotPath } = await buildHotPath({ ...settings, output: { flow: (row) => void flows.push(row) } });
    const bus = createMemoryBus({ ...config.bus.memory, partitions: 1 }, { reporter: silentReporter });
    const source = breaking(createFileSource(SCAN), 3);
    const feed = new Feed([{ sources: [source], learning: false }], bus, 4096);
    await expect(feed.run(hotPath)).rejects.toMatchObject({ code: 'WW_INPUT_UNREADABLE' });
    await bus.stop();
    hotPath.finish();
    expect(source.given).toBeGreaterThan(200);
    expect(feed.processed).toBe(source.given);
    expect(hotPath.counters().framesRead).toBe(source.given);
    expect(flows.length).toBeGreaterThan(10);
  });
});

/** The source, whose disk is pulled out after some batches. */
function breaking(source: FrameSource, batches: number): FrameSource & { given: number } {
  return {
    name: source.name,
    given: 0,
    async *batches(signal) {
      let left = batches;
      for await (const batch of source.batches(signal)) {
        this.given += batch.count;
        yield batch;
        if (--left === 0) throw new WardwatchError('WW_INPUT_UNREADABLE', 'the disk is gone', 'put it in again');
      }
    },
    report: () => source.report(),
  };
}

describe('a place that cannot be written', () => {
  it('because the disk is full', async () => {
    const out = folder('full');
    mkdirSync(out);
    // The kernel's own full disk.
    symlinkSync('/dev/full', join(out, 'flows.ndjson'));
    const result = await run(['replay', SCAN, '--quiet', '--out', out]);
    expectOneClearLine(result, 73, /flows\.ndjson cannot be written: ENOSPC.*\(WW_DISK_FULL\)\n.*free space/);
  });

  it('because there is a file in the way', async () => {
    const result = await run(['replay', SCAN, '--quiet', '--out', join(put('file', ''), 'out')]);
    expectOneClearLine(result, 73, /cannot be made.*\(WW_OUTPUT\)/);
  });
});

describe('a neighbour that is not there', () => {
  it('Kafka', async () => {
    const env = { WARDWATCH_BUS__KAFKA__BROKERS: '127.0.0.1:1' };
    const result = await run(['replay', SCAN, '--bus', 'kafka', '--out', folder('no-kafka')], { env });
    expectOneClearLine(result, 69, /Kafka at 127\.0\.0\.1:1 cannot be reached.*\(WW_BROKER\)/);
  });

  it('ClickHouse', async () => {
    const env = { WARDWATCH_STORE__MODE: 'server', WARDWATCH_STORE__SERVER__URL: 'http://127.0.0.1:1' };
    const result = await start(['run', SCAN, '--exit', '--quiet'], { cwd: folder(), env }).ended;
    expectOneClearLine(result, 69, /The store \(http:\/\/127\.0\.0\.1:1\) cannot be reached.*\(WW_STORE\)/);
  });

  it('a free port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((settle) => server.once('listening', settle));
    const { port } = server.address() as AddressInfo;
    const env = { WARDWATCH_API__PORT: String(port) };
    const result = await start(['run', SCAN, '--exit', '--quiet'], { cwd: folder(), env }).ended;
    await new Promise((settle) => server.close(settle));
    expectOneClearLine(result, 69, /already listens on port \d+.*\(WW_PORT_IN_USE\)/);
  });

  it('an interface', async () => {
    const result = await start(['run', '-i', 'nowhere0', '--quiet'], { cwd: folder() }).ended;
    expect(result.stderr).toMatch(/nowhere0.*\(WW_(INPUT_MISSING|CAPTURE_TOOL|CAPTURE_RIGHTS)\)\n {2}-> \S/);
    expect([66, 69, 77]).toContain(result.code);
  });
});

describe('a detector of the site', () => {
  const HEAD = `title: 'T', summary: 'S', version: 1, status: 'stable', analytic: 'rule', techniques: [], params: {}`;

  function site(name: string, source: string): string {
    const path = folder(`site-${name}/${name}`);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'index.ts'), source);
    return folder(`site-${name}`);
  }

  it('is loaded, and one that throws is switched off while the others go on', async () => {
    const sound = await replayInto(folder('sound'), { learn: [LEARN], files: [SCAN] });
    const dir = site(
      'throwing',
      `export default { id: 'throwing', ${HEAD}, create: () => ({ onFlowEnd() { throw new Error('no more'); } }) };`,
    );
    const config = configWith({ WARDWATCH_DETECTION__FOLDER: dir });
    const beside = await replayInto(folder('beside'), { learn: [LEARN], files: [SCAN], config });
    expect(beside.warnings).toEqual(['the detector throwing failed and is off: no more']);
    expect(beside.summary.detectors_off).toEqual([{ id: 'throwing', reason: 'no more' }]);
    expect(sound.summary.alerts).toBeGreaterThan(0);
    for (const output of OUTPUTS) expect((await beside.text(output)) === (await sound.text(output)), output).toBe(true);
  });

  it('is written as the documentation shows', async () => {
    const page = readFileSync(new URL('../../docs/how-to/add-a-detector.md', import.meta.url), 'utf8');
    const example = /^```ts\n([\s\S]*?)^```/m.exec(page)?.[1] ?? '';
    const config = configWith({ WARDWATCH_DETECTION__FOLDER: site('night-telnet', example) });
    const scan = resolve('demo/attack-3.pcap.gz');
    const { summary, warnings } = await replayInto(folder('night-telnet-out'), { files: [scan], config });
    expect(warnings).toEqual([]);
    expect(summary.detectors_off).toEqual([]);
  });

  it.each([
    ['syntax', `export default { id: 'syntax', `, /syntax cannot be used/],
    ['nothing', `export const x = 1;`, /nothing cannot be used: index has no default export/],
    ['other', `export default { id: 'mine', ${HEAD}, create: () => ({}) };`, /its id is 'mine'/],
    [
      'starting',
      `export default { id: 'starting', ${HEAD}, create() { throw new Error('at once'); } };`,
      /off: at once/,
    ],
  ])('that is broken (%s) is named, and the others go on', async (name, source, warning) => {
    const config = configWith({ WARDWATCH_DETECTION__FOLDER: site(name, source) });
    const { summary, warnings } = await replayInto(folder(`out-${name}`), { files: [SCAN], config });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(warning);
    expect(summary.detectors_off.map((d) => d.id)).toEqual([name]);
    expect(summary.frames_decoded).toBe(summary.frames_read);
  });
});

describe('a configuration that is not right', () => {
  it.each([
    ['an unknown detector', 'detection:\n  disabled: [skan]\n', /'skan', which does not exist/],
    [
      'parameters of an unknown detector',
      'detection:\n  detectors:\n    skan: { x: 1 }\n',
      /'skan', which does not exist/,
    ],
    [
      'an unknown parameter',
      'detection:\n  detectors:\n    scan: { sped: 1 }\n',
      /detectors\.scan\.sped is no parameter/,
    ],
    ['a folder that is not there', 'detection:\n  folder: ./nowhere\n', /folder \.\/nowhere cannot be read/],
    ['an unknown setting', 'api:\n  prot: 1\n', /api\.prot: is no setting; did you mean port\?/],
    ['a wrong value', 'api:\n  port: many\n', /api\.port/],
    ['broken YAML', 'api: [1\n', /broken\.yaml: /],
  ])('names %s', async (_what, yaml, message) => {
    const config = put('broken.yaml', yaml);
    const result = await run(['replay', SCAN, '--config', config, '--out', folder('unset')]);
    expectOneClearLine(result, 78, message);
  });
});
