import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import imagingAccess from '../../detectors/imaging-access/index.ts';
import { DetectorBench } from '../support/messages.ts';
import type { Host } from '../support/messages.ts';

let bench: DetectorBench;
let pacs: Host;
let viewer: Host;
let modality: Host;
let stranger: Host;

function associate(client: Host, calling: string, called = 'PACS'): void {
  bench.say('dicom.association', client, pacs, { calling_ae: calling, called_ae: called });
}

function find(client: Host, records: number): void {
  bench.say('dicom.command', client, pacs, { command: 'C-FIND-RQ', message_id: 1 });
  for (let i = 0; i < records; i++) bench.say('dicom.command', pacs, client, { command: 'C-FIND-RSP', status: 0xff00 });
  bench.say('dicom.command', pacs, client, { command: 'C-FIND-RSP', status: 0 });
}

function move(client: Host, destination: string, images: number, id = 1): void {
  bench.say('dicom.command', client, pacs, { command: 'C-MOVE-RQ', message_id: id, move_destination: destination });
  for (let left = images; left > 0; left -= Math.ceil(images / 4))
    bench.say('dicom.command', pacs, client, {
      command: 'C-MOVE-RSP',
      message_id: id,
      status: 0xff00,
      remaining: left,
      completed: images - left,
    });
}

beforeEach(() => {
  bench = new DetectorBench(imagingAccess);
  pacs = bench.host('pacs', 'pacs');
  viewer = bench.host('viewer', 'imaging-workstation');
  modality = bench.host('ct', 'ct');
  stranger = bench.host('ws', 'workstation');
  for (let i = 0; i < 10; i++) {
    associate(viewer, 'VIEWER');
    find(viewer, 40);
    move(viewer, 'VIEWER', 300, i);
    associate(modality, 'CT1');
    bench.wait(30);
  }
  bench.endLearning();
  associate(viewer, 'VIEWER');
  find(viewer, 150);
  move(viewer, 'VIEWER', 500);
  associate(modality, 'CT1');
  bench.say('dicom.command', modality, pacs, { command: 'C-STORE-RQ', message_id: 3 });
  expect(bench.failures).toEqual([]);
  expect(bench.findings).toEqual([]);
});

describe('queries', () => {
  it('that sweep the archive are reported', () => {
    find(viewer, 600);
    expect(bench.seen()[0]).toMatchObject({ severity: 3 });
    expect(bench.findings[0]!.title).toBe('Sweeping queries of an image archive');
    expect(bench.findings.length).toBeLessThan(6);
  });

  it('of a client that never queried need few', () => {
    find(stranger, 49);
    expect(bench.findings).toEqual([]);
    find(stranger, 1);
    expect(bench.severities()).toEqual([3]);
    expect(bench.findings[0]!.sentence).toBe(
      'ws sent 2 DICOM queries to pacs, which it never queried before, and got 50 records within a minute.',
    );
  });

  it('over an hour at the usual pace are nothing', () => {
    for (let i = 0; i < 100; i++) {
      find(viewer, 70);
      bench.wait(36);
    }
    expect(bench.findings).toEqual([]);
  });
});

describe('retrieval', () => {
  it('in bulk is reported once, whatever the number of answers', () => {
    move(viewer, 'VIEWER', 3000, 9);
    expect(bench.severities()).toEqual([3]);
    expect(bench.seen()[0]!.sentence).toContain('ordered 3,500 images from pacs within a minute');
  });

  it('to a new destination is low for a known mover, an attack for another', () => {
    move(viewer, 'BACKUP', 1);
    expect(bench.severities()).toEqual([2]);
    move(stranger, 'OUTSIDE', 1);
    expect(bench.severities()).toEqual([2, 3]);
  });
});

describe('titles', () => {
  it('that are new are low', () => {
    associate(stranger, 'WS');
    expect(bench.severities()).toEqual([2]);
  });

  it('that are guessed are an attack', () => {
    for (const called of ['PACS1', 'ARCHIVE', 'ORTHANC', 'DCM4CHEE', 'STORESCP']) {
      const flow = bench.flow(stranger, pacs);
      bench.say('dicom.association', stranger, pacs, { calling_ae: 'X', called_ae: called }, flow);
      bench.say('dicom.reject', pacs, stranger, { result: 1, source: 1, reason: 7 }, flow);
      bench.end(flow);
    }
    expect(bench.findings.filter((f) => f.severity === 3).at(-1)!.sentence).toBe(
      'ws tried 4 pairs of application entity titles at pacs within a minute, all refused.',
    );
  });

  it('of one client that the archive keeps refusing are low', () => {
    for (let i = 0; i < 25; i++) {
      const flow = bench.flow(modality, pacs);
      bench.say('dicom.association', modality, pacs, { calling_ae: 'CT1', called_ae: 'PACS' }, flow);
      bench.say('dicom.reject', pacs, modality, { result: 2, source: 3, reason: 2 }, flow);
    }
    expect(bench.severities()).toEqual([2]);
  });
});

it('survives any messages', () => {
  const step = fc.record({
    kind: fc.constantFrom('dicom.association', 'dicom.reject', 'dicom.abort', 'dicom.command'),
    command: fc.constantFrom('C-FIND-RQ', 'C-FIND-RSP', 'C-MOVE-RQ', 'C-MOVE-RSP', 'C-GET-RSP', 'N-SET-RQ'),
    calling_ae: fc.string({ maxLength: 16 }),
    status: fc.constantFrom(0, 0xff00),
    message_id: fc.nat(3),
    remaining: fc.nat(5000),
    from: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      for (const { kind, from, ...fields } of steps)
        bench.say(kind, from ? stranger : pacs, from ? pacs : stranger, fields);
      expect(bench.failures).toEqual([]);
    }),
    { seed: 7, numRuns: 50 },
  );
});
