import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import ransomwareShare from '../../detectors/ransomware-share/index.ts';
import type { FlowView } from '../../src/detect/sdk.ts';
import { DetectorBench } from '../support/messages.ts';
import type { Host } from '../support/messages.ts';

const TXT = 1;
const LOCKED = 2;
const TMP = 3;

let bench: DetectorBench;
let client: Host;
let server: Host;
let flow: FlowView;
let handles: number;

function ask(
  command: string,
  fields: Record<string, string | number>,
  answer: Record<string, string | number> = {},
): void {
  bench.say('smb.command', client, server, { command, is_request: 1, ...fields }, flow);
  bench.say('smb.command', server, client, { command, is_request: 0, status: 0, ...answer }, flow);
}

function open(file: number, extension: number, action = 'open'): number {
  handles++;
  ask('create', { file, extension, action }, { handle: handles });
  return handles;
}

const read = (handle: number, bytes: number): void => ask('read', { handle, bytes: 65_536 }, { bytes });
const write = (handle: number, bytes: number): void => ask('write', { handle, bytes }, { bytes });
const rename = (handle: number, file: number, extension: number): void =>
  ask('set_info', { handle, file, extension, action: 'rename' });
const remove = (handle: number): void => ask('set_info', { handle, action: 'delete' });
const loud = (): number[] => bench.severities().filter((s) => s >= 3);

beforeEach(() => {
  bench = new DetectorBench(ransomwareShare);
  client = bench.host('ws', 'workstation', false);
  server = bench.host('files', 'file-server', false);
  flow = bench.flow(client, server, { port: 445 });
  handles = 0;
});

describe('ransomware', () => {
  it('that encrypts in place and renames is reported at the fifth file', () => {
    for (let f = 1; f <= 4; f++) {
      const h = open(f, TXT);
      read(h, 4000);
      write(h, 4016);
      rename(h, 100 + f, LOCKED);
    }
    expect(bench.findings).toEqual([]);
    const h = open(5, TXT);
    read(h, 4000);
    write(h, 4016);
    rename(h, 105, LOCKED);
    expect(bench.findings[0]).toMatchObject({ severity: 3, device: { hostname: 'ws' } });
    expect(bench.findings[0]!.sentence).toContain('ws overwrote 5 files that it had not made itself on files within');
    expect(bench.findings[0]!.sentence).toContain('5 of them renamed to another extension');
  });

  it('that renames first and encrypts then is reported', () => {
    for (let f = 1; f <= 8; f++) {
      rename(open(f, TXT), 100 + f, LOCKED);
      const h = open(100 + f, LOCKED);
      read(h, 900);
      write(h, 900);
    }
    expect(loud()).toEqual([3]);
  });

  it('that writes new files and deletes the old is reported', () => {
    for (let f = 1; f <= 8; f++) {
      const old = open(f, TXT);
      read(old, 3000);
      write(open(200 + f, LOCKED, 'create'), 3100);
      remove(old);
    }
    expect(loud()).toEqual([3]);
  });

  it('that keeps the names is reported a little later, and mass makes it high', () => {
    for (let f = 1; f <= 40; f++) {
      const h = open(f, TXT);
      read(h, 2000);
      write(h, 2000);
      if (f === 14) expect(bench.findings).toEqual([]);
      if (f === 15) expect(bench.severities()).toEqual([3]);
    }
    expect(bench.severities()).toEqual([4]);
  });

  it('is reported while the client is still being learned', () => {
    (client.device as { learning: boolean }).learning = true;
    for (let f = 1; f <= 6; f++) {
      const h = open(f, TXT);
      read(h, 4000);
      write(h, 4016);
      rename(h, 100 + f, LOCKED);
    }
    expect(loud()).toEqual([3]);
  });

  it('over encrypted SMB shows in downloads that come back at the same size', () => {
    const message = (from: Host, bytes: number): void =>
      bench.say(
        'smb.command',
        from,
        from === client ? server : client,
        { command: 'encrypted', encrypted: 1, bytes, is_request: from === client ? 1 : 0 },
        flow,
      );
    for (let f = 1; f <= 30; f++) {
      const size = 5000 + 777 * f;
      message(client, 120);
      message(server, size);
      message(client, size + 300);
      message(server, 100);
    }
    expect(loud()).toEqual([3]);
    // The same as a copy through the client: pieces of one size.
    bench = new DetectorBench(ransomwareShare);
    for (let f = 1; f <= 200; f++) {
      message(server, 1_048_656);
      message(client, 1_048_700);
    }
    expect(bench.findings).toEqual([]);
  });
});

describe('ordinary work', () => {
  it('of a backup, a virus scanner or an indexer (everything is read)', () => {
    for (let f = 1; f <= 500; f++) read(open(f, TXT), 50_000);
    expect(bench.findings).toEqual([]);
  });

  it('of an archive or a copy to the share (everything is new)', () => {
    for (let f = 1; f <= 500; f++) write(open(f, TXT, f % 2 === 0 ? 'create' : 'overwrite'), 50_000);
    expect(bench.findings).toEqual([]);
  });

  it('of a synchronisation through temporary names', () => {
    for (let f = 1; f <= 500; f++) {
      const h = open(1000 + f, TMP, 'create');
      write(h, 5000);
      rename(h, f, TXT);
    }
    expect(bench.findings).toEqual([]);
  });

  it('of an office program that saves four documents through temporary files', () => {
    for (let f = 1; f <= 4; f++) {
      const h = open(f, TXT);
      read(h, 30_000);
      const t = open(500 + f, TMP, 'create');
      write(t, 31_000);
      rename(h, 600 + f, TMP);
      rename(t, f, TXT);
      remove(h);
      bench.wait(2);
    }
    expect(bench.findings).toEqual([]);
  });

  it('of moving files to another folder', () => {
    for (let f = 1; f <= 50; f++) {
      const h = open(f, TXT);
      read(h, 3000);
      write(open(300 + f, TXT, 'create'), 3000);
      remove(h);
    }
    expect(loud()).toEqual([]);
  });

  it('of renaming many files', () => {
    for (let f = 1; f <= 200; f++) rename(open(f, TXT), 700 + f, LOCKED);
    expect(bench.findings).toEqual([]);
  });

  it('that is slow', () => {
    for (let f = 1; f <= 30; f++) {
      const h = open(f, TXT);
      read(h, 4000);
      write(h, 4016);
      rename(h, 100 + f, LOCKED);
      bench.wait(20);
    }
    expect(bench.findings).toEqual([]);
  });

  it('of deleting very many files is low', () => {
    for (let f = 1; f <= 150; f++) remove(open(f, TXT));
    expect(bench.severities()).toEqual([2]);
  });

  it('that the client did while it was learned raises the limit for changes in place', () => {
    (client.device as { learning: boolean }).learning = true;
    const tag = (n: number): void => {
      for (let f = 1; f <= n; f++) {
        const h = open(handles + 5000, TXT);
        read(h, 1000);
        write(h, 1000);
      }
    };
    tag(14);
    bench.wait(70);
    (client.device as { learning: boolean }).learning = false;
    tag(27);
    expect(bench.findings).toEqual([]);
    tag(1);
    expect(loud()).toEqual([3]);
  });
});

it('survives any order of commands', () => {
  const step = fc.record({
    command: fc.constantFrom('create', 'read', 'write', 'set_info', 'close', 'encrypted', 'rename', 'delete'),
    is_request: fc.constantFrom(0, 1),
    action: fc.constantFrom('', 'open', 'create', 'overwrite', 'rename', 'delete', 'truncate'),
    file: fc.nat(5),
    extension: fc.nat(2),
    handle: fc.nat(5),
    bytes: fc.nat(100_000),
    status: fc.constantFrom(0, 0x103, 0xc0000034),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      for (const s of steps)
        bench.say('smb.command', s.is_request ? client : server, s.is_request ? server : client, s, flow);
      expect(bench.failures).toEqual([]);
    }),
    { seed: 5, numRuns: 100 },
  );
});
