import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Assets } from '../../src/desk/assets.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { decodeText, parseCsv } from '../../src/lib/csv.ts';

const CSV = `Asset Tag;MAC Address;Serial No;Hostname;Department;Location;Criticality;Maintenance Contact;Price
A-1;00-09-FB-11-22-33;SN1;icu-mon-1;ICU;"Room 4; bed 2";critical;Biomed;12
A-2;;SN2;;Ward B;Raum Süd;2;;9
`;

describe('assets', () => {
  let dir: string;
  let db: DatabaseSync;
  let assets: Assets;
  const take = (text: string | Uint8Array, dryRun = false) =>
    assets.importCsv(typeof text === 'string' ? Buffer.from(text) : text, 'eng', 5, dryRun);
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'wardwatch-assets-'));
    db = openDatabase(join(dir, 'desk.db'));
    assets = new Assets(db);
  });
  afterEach(() => {
    db.close();
    rmSync(dir, { recursive: true });
  });

  it('come from a file of maintenance, and again without a change', () => {
    expect(take(CSV)).toEqual({ added: 2, changed: 0, same: 0, problems: [], ignored: ['Price'] });
    expect(take(CSV)).toMatchObject({ added: 0, changed: 0, same: 2 });
    expect(take(CSV.replace('Ward B', 'Ward C'))).toMatchObject({ changed: 1, same: 1 });
    expect(assets.history('A-2').map((one) => [one.who, one.before?.owner, one.after.owner])).toEqual([
      ['eng', 'Ward B', 'Ward C'],
      ['eng', undefined, 'Ward B'],
    ]);
  });

  it('are found by MAC address, serial number or a name that only one has', () => {
    take(CSV);
    const found = assets.assetsOf([
      { device: 'a', mac: '00:09:fb:11:22:33', serial: '', name: '' },
      { device: 'b', mac: '', serial: 'sn2', name: '' },
      { device: 'c', mac: '', serial: '', name: 'ICU-MON-1' },
      { device: 'd', mac: 'ff:ff:ff:ff:ff:ff', serial: '', name: '' },
    ]);
    expect([...found].map(([device, asset]) => [device, asset.tag])).toEqual([
      ['a', 'A-1'],
      ['b', 'A-2'],
      ['c', 'A-1'],
    ]);
    expect(found.get('a')).toMatchObject({ room: 'Room 4; bed 2', criticality: 'critical' });
    expect(found.get('b')).toMatchObject({ room: 'Raum Süd', criticality: 'medium' });
  });

  it('change nothing in a dry run', () => {
    expect(take(CSV, true)).toMatchObject({ added: 2 });
    expect(take(CSV, true)).toMatchObject({ added: 2 });
  });

  it('say of each wrong line what would be right, and take the others', () => {
    const result = take(
      'tag,mac,serial,criticality\nA,00:00:00:00:00:01,,hihg\nB,xx,,\n,00:00:00:00:00:02,,\nC,00:00:00:00:00:03,,\nC,,,\nD,00:00:00:00:00:03,,\nE,,S,low\n',
    );
    expect(result.added).toBe(2);
    expect(result.problems.map((one) => one.line)).toEqual([2, 3, 4, 6, 7]);
    expect(result.problems[0]?.text).toContain('did you mean high?');
    expect(result.problems[4]?.text).toContain('already that of asset C');
    expect(take('name,room\nx,y\n').problems).toEqual([
      { line: 1, text: expect.stringContaining('asset tag') as string },
    ]);
  });

  it('may change hands of a MAC address within one file', () => {
    take('tag,mac\nA,00:00:00:00:00:01\nB,00:00:00:00:00:02\n');
    expect(take('tag,mac\nA,00:00:00:00:00:02\nB,00:00:00:00:00:01\n')).toMatchObject({ changed: 2, problems: [] });
  });

  it('come in any usual encoding', () => {
    for (const bytes of [
      Buffer.from(`\ufeff${CSV}`),
      Buffer.from(`\ufeff${CSV}`, 'utf16le'),
      Buffer.from(CSV, 'latin1'),
    ]) {
      const rows = parseCsv(decodeText(bytes));
      expect(rows.map((row) => row.cells[5])).toEqual(['Location', 'Room 4; bed 2', 'Raum Süd']);
    }
  });

  it('take any bytes without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(take(Buffer.concat([Buffer.from('tag,mac\n'), bytes]), true).changed).toBe(0);
      }),
      { seed: 6 },
    );
  });
});
