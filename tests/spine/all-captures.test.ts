import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { WardwatchError } from '../../src/kernel/errors.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { accounted, configWith, replayInto, useFolder } from './replays.ts';

interface Facts {
  readonly captures: readonly {
    readonly file: string;
    readonly packets: number;
    /** Where a plain reader of the container finds another number than tshark. */
    readonly records_in_file?: number;
  }[];
}

const CAPTURE = /\.(pcap|pcapng|cap|trace)(\.gz|\.zst)?$/i;

/** Small tables: so many hot paths are made here, and it is good that some of the captures fill them. */
const SMALL = { WARDWATCH_HOTPATH__TRACK__MAX_FLOWS: '4096', WARDWATCH_HOTPATH__IDENTITY__MAX_DEVICES: '512' };

describeWithCaptures('every capture there is', (captures) => {
  const facts = JSON.parse(readFileSync(join(captures, 'facts.json'), 'utf8')) as Facts;
  const expected = new Map(facts.captures.map((c) => [c.file, c.records_in_file ?? c.packets]));
  const files = readdirSync(captures, { recursive: true, encoding: 'utf8' })
    .filter((file) => CAPTURE.test(file))
    .sort();

  const folder = useFolder();

  it('of the facts is among them', () => {
    expect(files.length).toBeGreaterThan(1700);
    expect([...expected.keys()].filter((file) => !files.includes(file))).toEqual([]);
  });

  it('goes through the whole hot path, and every frame is accounted for', { timeout: 900_000 }, async () => {
    const config = configWith(SMALL);
    const knowledge = loadKnowledge(loadClasses());
    const wrong: Record<string, unknown> = {};
    for (const file of files) {
      try {
        const { summary, warnings } = await replayInto(folder(), { files: [join(captures, file)], config, knowledge });
        const read = summary.frames_read;
        if (accounted(summary) !== read || Object.keys(summary.frames_dropped).length > 0) wrong[file] = { ...summary };
        else if (expected.has(file) && expected.get(file) !== read)
          wrong[file] = { read, expected: expected.get(file) };
        else if (warnings.length > 0) wrong[file] = warnings;
      } catch (error) {
        wrong[file] = error instanceof WardwatchError ? `${error.code}: ${error.message}` : String(error);
      }
    }
    expect(wrong).toEqual({});
  });
});
