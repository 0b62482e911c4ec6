import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WardwatchError } from '../../src/kernel/errors.ts';
import { createLiveSource, type LiveConfig, type LiveSource } from '../../src/sources/index.ts';
import { captureAt, collect, framesOf } from './by-hand.ts';

const US = 1_700_000_000_000_000;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-live-'));
  writeFileSync(join(folder, 'two.pcap'), captureAt([US, US + 1]));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let scripts = 0;

/** A program that stands in for the capture tool; a real child process. */
function tool(name: string, ...lines: string[]): string {
  const path = join(folder, `${name}-${++scripts}`);
  writeFileSync(path, ['#!/bin/sh', `cd ${folder}`, ...lines, ''].join('\n'));
  chmodSync(path, 0o755);
  return path;
}

function live(path: string, more: Partial<LiveConfig> = {}): LiveSource {
  return createLiveSource({ interface: 'eth9', tool_path: path, ...more });
}

async function failure(source: LiveSource): Promise<WardwatchError> {
  const error: unknown = await collect(source).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(WardwatchError);
  return error as WardwatchError;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('what may be captured', () => {
  it.each([
    [{ interface: '-w' }],
    [{ interface: 'eth0; reboot' }],
    [{ interface: '' }],
    [{ interface: 'e'.repeat(33) }],
    [{ interface: 'eth0', filter: '-w /etc/passwd' }],
    [{ interface: 'eth0', filter: ' -w' }],
    [{ interface: 'eth0', filter: 'port 22\n-w' }],
    [{ interface: 'eth0', filter: '`id`' }],
    [{ interface: 'eth0', snap_length: -1 }],
  ])('refuses %o', (settings) => {
    expect(() => createLiveSource(settings)).toThrow(expect.objectContaining({ code: 'WW_CONFIG' }));
  });

  it.each(['', 'not port 22', '(vlan and ip host 10.0.0.1) or ether[0] & 1 != 0', '!arp'])(
    'takes the filter "%s"',
    (filter) => {
      expect(createLiveSource({ interface: 'enp0s31f6.100', filter }).name).toBe('enp0s31f6.100');
    },
  );
});

describe('a capture by a tool', () => {
  it('starts it with the arguments of tcpdump, without a shell, and in English', async () => {
    const path = tool('tcpdump', 'printf "%s\\n" "$@" "$LC_ALL" > arguments', 'cat two.pcap');
    const { frames, report } = await collect(live(path, { filter: 'not port 22', snap_length: 0, buffer_mib: 2 }));
    expect(frames.map((found) => found.tsUs)).toEqual([US, US + 1]);
    expect(report).toMatchObject({ framesRead: 2, truncated: false });
    expect(readFileSync(join(folder, 'arguments'), 'utf8').trim()).toBe(
      '-n\n-U\n-i\neth9\n-s\n262144\n-B\n2048\n-w\n-\n--\nnot port 22\nC',
    );
  });

  it('starts it with the arguments of dumpcap', async () => {
    const path = tool('dumpcap', 'printf "%s\\n" "$@" > arguments', 'cat two.pcap');
    await collect(live(path, { filter: 'arp', promiscuous: false, snap_length: 128 }));
    expect(readFileSync(join(folder, 'arguments'), 'utf8').trim()).toBe(
      '-P\n-q\n-i\neth9\n-s\n128\n-B\n32\n-p\n-f\narp\n-w\n-',
    );
  });

  it('counts what the tool says it lost', async () => {
    const tcpdump = tool(
      'tcpdump',
      'cat two.pcap',
      'echo "tcpdump: 1 packet captured, 1 packet received by filter, 3 packets dropped by kernel" >&2',
      'printf "2 packets captured\\n9 packets received by filter\\n7 packets dropped by kernel\\n1 packet dropped by interface" >&2',
    );
    expect((await collect(live(tcpdump))).report.framesLostAtCapture).toBe(8);
    const dumpcap = tool(
      'dumpcap',
      'cat two.pcap',
      `echo "Packets received/dropped on interface 'eth9': 2/40 (pcap:30/dumpcap:6/flushed:4/ps_ifdrop:2) (4.8%)" >&2`,
    );
    expect((await collect(live(dumpcap))).report.framesLostAtCapture).toBe(42);
  });

  it('ends by stop: the tool is asked to end, and what it still writes is delivered', async () => {
    const path = tool(
      'dumpcap',
      'echo $$ > pid',
      'trap "tail -c 76 two.pcap; exit 0" INT',
      'head -c 100 two.pcap',
      'while :; do sleep 0.02; done',
    );
    const source = live(path);
    const times: number[] = [];
    let stopping: Promise<void> | undefined;
    for await (const batch of source.batches()) {
      times.push(...framesOf(batch).map((found) => found.tsUs));
      stopping ??= source.stop();
    }
    await stopping;
    expect(times).toEqual([US, US + 1]);
    expect(isRunning(Number(readFileSync(join(folder, 'pid'), 'utf8')))).toBe(false);
    await source.stop();
  });

  it('kills a tool that does not end when asked', async () => {
    const path = tool('dumpcap', 'echo $$ > pid', 'trap "" INT', 'cat two.pcap', 'while :; do sleep 0.02; done');
    const source = live(path, { stop_seconds: 0.2 });
    for await (const batch of source.batches()) {
      expect(batch.count).toBe(2);
      await source.stop();
    }
    expect(isRunning(Number(readFileSync(join(folder, 'pid'), 'utf8')))).toBe(false);
  });

  it.each(['leaves', 'aborts'])('ends the tool when the reader %s', async (way) => {
    const path = tool('tcpdump', 'echo $$ > pid', 'cat two.pcap', 'exec sleep 1000');
    const abort = new AbortController();
    for await (const batch of live(path).batches(abort.signal)) {
      expect(batch.count).toBe(2);
      if (way === 'leaves') break;
      abort.abort();
    }
    expect(isRunning(Number(readFileSync(join(folder, 'pid'), 'utf8')))).toBe(false);
  });

  it('does not begin after stop', async () => {
    const source = live(tool('tcpdump', 'touch began', 'cat two.pcap'));
    await source.stop();
    expect((await collect(source)).frames).toEqual([]);
    expect(existsSync(join(folder, 'began'))).toBe(false);
  });
});

describe('a capture that cannot be', () => {
  it.each([
    [
      'tcpdump',
      "tcpdump: eth9: You don't have permission to perform this capture on that device\n(socket: Operation not permitted)",
    ],
    ['dumpcap', 'dumpcap: You do not have permission to capture on device "eth9".\n(socket: Operation not permitted)'],
  ])('for want of rights (%s)', async (name, words) => {
    writeFileSync(join(folder, 'words'), words);
    const error = await failure(live(tool(name, 'cat words >&2', 'exit 1')));
    expect(error).toMatchObject({ code: 'WW_CAPTURE_RIGHTS', exitCode: 77 });
    expect(error.remedy).toContain('setcap cap_net_raw');
  });

  it('for want of the right to run the tool', async () => {
    const path = tool('dumpcap', 'exit 0');
    chmodSync(path, 0o600);
    const error = await failure(live(path));
    expect(error.code).toBe('WW_CAPTURE_RIGHTS');
  });

  it('for want of a tool', async () => {
    const error = await failure(live(join(folder, 'no-such-tool')));
    expect(error).toMatchObject({ code: 'WW_CAPTURE_TOOL', exitCode: 69 });
    expect(error.remedy).toContain('tcpdump');
  });

  it.each([
    ['tcpdump', 'tcpdump: eth9: No such device exists\n(No such device exists)'],
    ['dumpcap', 'Capturing on \'eth9\'\ndumpcap: There is no device named "eth9".\n(No such device exists)'],
  ])('for want of the interface (%s)', async (name, words) => {
    writeFileSync(join(folder, 'words'), words);
    const error = await failure(live(tool(name, 'cat words >&2', 'exit 1')));
    expect(error).toMatchObject({ code: 'WW_INPUT_MISSING', message: 'There is no interface eth9.' });
    expect(error.remedy).toMatch(/Interfaces of this machine: .*\blo/);
  });

  it.each([
    ['tcpdump', "tcpdump: can't parse filter expression: syntax error"],
    ['dumpcap', 'dumpcap: Invalid capture filter "port port" for interface \'eth9\'.'],
  ])('for a filter that is none (%s)', async (name, words) => {
    writeFileSync(join(folder, 'words'), words);
    expect(await failure(live(tool(name, 'cat words >&2', 'exit 1'), { filter: 'port port' }))).toMatchObject({
      code: 'WW_CONFIG',
    });
  });

  it('when the tool ends by itself, after its frames were delivered', async () => {
    const path = tool('tcpdump', 'cat two.pcap', 'echo "tcpdump: pcap_loop: The interface disappeared" >&2', 'exit 1');
    const source = live(path);
    const error = await failure(source);
    expect(error.code).toBe('WW_CAPTURE_TOOL');
    expect(error.message).toContain('(exit code 1): tcpdump: pcap_loop: The interface disappeared');
    expect(source.report().framesRead).toBe(2);
  });

  it('when the tool writes something else', async () => {
    expect(await failure(live(tool('tcpdump', 'echo this is no capture')))).toMatchObject({
      code: 'WW_INPUT_NOT_A_CAPTURE',
    });
    expect(await failure(live(tool('tcpdump', 'exit 0')))).toMatchObject({ code: 'WW_CAPTURE_TOOL' });
  });
});

/** Whether this process may capture with this tool on the loopback interface. */
function mayCapture(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
  } catch {
    return false;
  }
  const { status } = spawnSync(name, ['-i', 'lo', '-d', 'arp'], { stdio: 'ignore' });
  return status === 0 && (process.getuid?.() ?? 1) === 0;
}

describe.each(['tcpdump', 'dumpcap'] as const)('the loopback interface, by %s', (name) => {
  it.skipIf(!mayCapture(name))('gives the frames sent over it', async () => {
    const receiver = createSocket('udp4');
    await new Promise<void>((resolve) => receiver.bind(0, '127.0.0.1', resolve));
    const { port } = receiver.address();
    const sender = createSocket('udp4');
    const source = createLiveSource({ interface: 'lo', tool: name, filter: `udp dst port ${port}` });
    // The tool begins at a moment that it does not tell: sent again until it is seen.
    const sending = setInterval(() => sender.send('wardwatch', port, '127.0.0.1'), 20);
    let seen = '';
    try {
      for await (const batch of source.batches()) {
        const [first] = framesOf(batch);
        expect(first?.linkType).toBe(1);
        seen = first?.data.subarray(-9).toString() ?? '';
        break;
      }
    } finally {
      clearInterval(sending);
      sender.close();
      receiver.close();
    }
    expect(seen).toBe('wardwatch');
  });
});
