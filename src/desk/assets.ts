import type { DatabaseSync } from 'node:sqlite';
import { decodeText, delimiterOf, parseCsv } from '../lib/csv.ts';
import { nearest } from '../lib/nearest.ts';
import { tame } from '../lib/tame.ts';
import { transaction } from './database.ts';

/** How much depends on an asset, the gravest last. */
export const CRITICALITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Criticality = (typeof CRITICALITIES)[number];

/** What maintenance (CMMS) knows of a device; empty where nothing is said. */
export interface Asset {
  readonly tag: string;
  readonly mac: string;
  readonly serial: string;
  readonly name: string;
  readonly owner: string;
  readonly room: string;
  readonly criticality: Criticality | '';
  readonly contact: string;
}

/** By what an asset is looked for; see {@link Assets.assetsOf}. */
export interface AssetKeys {
  readonly device: string;
  readonly mac: string;
  readonly serial: string;
  readonly name: string;
}

/** Something wrong in a line: it is left out, all others are taken. */
export interface AssetProblem {
  readonly line: number;
  /** What is wrong and what would be right. */
  readonly text: string;
}

export interface AssetImport {
  readonly added: number;
  readonly changed: number;
  readonly same: number;
  readonly problems: readonly AssetProblem[];
  /** Columns that nothing was taken from. */
  readonly ignored: readonly string[];
}

/** Which column holds a field, by the name in the first line. */
export type AssetColumns = Readonly<Partial<Record<keyof Asset, string>>>;

const FIELDS = ['tag', 'mac', 'serial', 'name', 'owner', 'room', 'criticality', 'contact'] as const;
/** Names of columns as the exports of maintenance systems have them, letters and digits only. */
const COLUMNS: Readonly<Record<keyof Asset, readonly string[]>> = {
  tag: [
    'tag',
    'assettag',
    'assetid',
    'asset',
    'assetnumber',
    'assetno',
    'inventorynumber',
    'inventoryno',
    'equipmentid',
  ],
  mac: ['mac', 'macaddress', 'hardwareaddress', 'ethernetaddress'],
  serial: ['serial', 'serialnumber', 'serialno', 'sn'],
  name: ['name', 'hostname', 'devicename', 'computername', 'dnsname'],
  owner: ['owner', 'department', 'costcentre', 'costcenter', 'responsible'],
  room: ['room', 'location', 'place', 'roomnumber'],
  criticality: ['criticality', 'risk', 'riskclass', 'priority'],
  contact: ['contact', 'maintenancecontact', 'maintenance', 'servicecontact', 'technician'],
};
const OTHER_WORDS: Readonly<Record<string, Criticality>> = {
  '1': 'low',
  '2': 'medium',
  '3': 'high',
  '4': 'critical',
  moderate: 'medium',
  normal: 'medium',
  vital: 'critical',
  lifesupport: 'critical',
};
const MAX_ASSETS = 500_000;
const MAX_CELL = 200;
const MAX_PROBLEMS = 1000;
const HISTORY = 32;

const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The assets of the site: imported from CSV, and joined with devices by MAC address, serial number or name. */
export class Assets {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /**
   * Takes in a CSV file (any usual delimiter and encoding, columns known by their names or `columns`). Right lines are
   * taken, wrong ones told of; importing the same file again changes nothing. With `dryRun` nothing is written.
   */
  importCsv(bytes: Uint8Array, who: string, nowMs: number, dryRun: boolean, columns: AssetColumns = {}): AssetImport {
    const read = readAssets(bytes, columns);
    const problems = [...read.problems];
    const problem = (line: number, text: string): void => {
      if (problems.length < MAX_PROBLEMS) problems.push({ line, text });
    };
    let added = 0;
    let changed = 0;
    let same = 0;
    const holders = { mac: new Map<string, string>(), serial: new Map<string, string>() };
    for (const row of this.#db.prepare('SELECT tag, mac, serial FROM assets').iterate()) {
      const tag = String(row['tag']);
      if (row['mac'] !== '') holders.mac.set(String(row['mac']), tag);
      if (row['serial'] !== '') holders.serial.set(String(row['serial']), tag);
    }
    const moving = new Set(read.assets.map(({ asset }) => asset.tag));
    const taken = { mac: new Map<string, string>(), serial: new Map<string, string>() };
    const select = this.#db.prepare('SELECT * FROM assets WHERE tag = ?');
    const count = Number(this.#db.prepare('SELECT count(*) AS n FROM assets').get()?.['n']);
    const work = (): void => {
      const upsert = this.#db.prepare(
        `INSERT INTO assets (tag, mac, serial, name, owner, room, criticality, contact)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (tag) DO UPDATE SET mac = ?2, serial = ?3, name = ?4, owner = ?5, room = ?6, criticality = ?7,
           contact = ?8`,
      );
      const note = this.#db.prepare(
        'INSERT INTO asset_history (tag, at_ms, who, before, after) VALUES (?, ?, ?, ?, ?)',
      );
      for (const { line, asset } of read.assets) {
        const clash = (['mac', 'serial'] as const).find((field) => {
          const value = asset[field];
          if (value === '') return false;
          const here = taken[field].get(value);
          const before = holders[field].get(value);
          return (
            (here !== undefined && here !== asset.tag) ||
            (before !== undefined && before !== asset.tag && !moving.has(before))
          );
        });
        if (clash !== undefined) {
          const other = taken[clash].get(asset[clash]) ?? holders[clash].get(asset[clash]) ?? '';
          problem(
            line,
            `${clash} is already that of asset ${tame(other, 60)}; one device has one asset: correct one of them`,
          );
          continue;
        }
        for (const field of ['mac', 'serial'] as const)
          if (asset[field] !== '') taken[field].set(asset[field], asset.tag);
        const row = select.get(asset.tag);
        const before = row === undefined ? undefined : assetOf(row);
        if (before !== undefined && FIELDS.every((field) => before[field] === asset[field])) {
          same++;
          continue;
        }
        if (before === undefined && count + added >= MAX_ASSETS) {
          problem(line, `there are ${MAX_ASSETS} assets, which is the most that are kept`);
          continue;
        }
        if (before === undefined) added++;
        else changed++;
        if (dryRun) continue;
        upsert.run(...FIELDS.map((field) => asset[field]));
        note.run(asset.tag, nowMs, who, before === undefined ? '' : JSON.stringify(before), JSON.stringify(asset));
      }
    };
    if (dryRun) work();
    else transaction(this.#db, work);
    return { added, changed, same, problems: problems.sort((a, b) => a.line - b.line), ignored: read.ignored };
  }

  /** The asset of each device that has one, by the device's key: the MAC address first, then serial number, then name. */
  assetsOf(devices: readonly AssetKeys[]): Map<string, Asset> {
    const byMac = this.#db.prepare("SELECT * FROM assets WHERE mac = ? AND mac <> '' LIMIT 1");
    const bySerial = this.#db.prepare("SELECT * FROM assets WHERE serial = ? AND serial <> '' LIMIT 1");
    // A name that several assets have says of none which one it is.
    const byName = this.#db.prepare("SELECT * FROM assets WHERE name = ? AND name <> '' LIMIT 2");
    const found = new Map<string, Asset>();
    for (const { device, mac, serial, name } of devices) {
      let row = byMac.get(mac) ?? bySerial.get(serial.trim().toUpperCase());
      if (row === undefined) {
        const rows = byName.all(name.toLowerCase());
        if (rows.length === 1) row = rows[0];
      }
      if (row !== undefined) found.set(device, assetOf(row));
    }
    return found;
  }

  /** What was made of an asset, the newest first. */
  history(tag: string): { atMs: number; who: string; before: Asset | undefined; after: Asset }[] {
    return this.#db
      .prepare('SELECT * FROM asset_history WHERE tag = ? ORDER BY id DESC LIMIT ?')
      .all(tag, HISTORY)
      .map((row) => ({
        atMs: Number(row['at_ms']),
        who: String(row['who']),
        before: row['before'] === '' ? undefined : (JSON.parse(String(row['before'])) as Asset),
        after: JSON.parse(String(row['after'])) as Asset,
      }));
  }
}

function assetOf(row: Readonly<Record<string, unknown>>): Asset {
  const text = (field: string): string => String(row[field]);
  return {
    tag: text('tag'),
    mac: text('mac'),
    serial: text('serial'),
    name: text('name'),
    owner: text('owner'),
    room: text('room'),
    criticality: text('criticality') as Criticality | '',
    contact: text('contact'),
  };
}

function readAssets(
  bytes: Uint8Array,
  columns: AssetColumns,
): { assets: { line: number; asset: Asset }[]; problems: AssetProblem[]; ignored: string[] } {
  const text = decodeText(bytes);
  const [head, ...records] = parseCsv(text, delimiterOf(text));
  const problems: AssetProblem[] = [];
  const wrong = (line: number, what: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ line, text: what });
  };
  const names = (head?.cells ?? []).map(plain);
  const at = new Map<keyof Asset, number>();
  for (const field of FIELDS) {
    const asked = columns[field];
    const index = names.findIndex((name) =>
      asked === undefined ? COLUMNS[field].includes(name) : name === plain(asked),
    );
    if (index >= 0) at.set(field, index);
    else if (asked !== undefined)
      wrong(
        1,
        `there is no column ${tame(asked, 60)} for ${field}; there are: ${tame((head?.cells ?? []).join(', '), 200)}`,
      );
  }
  if (!at.has('tag')) wrong(1, 'there is no column with the asset tag; name one `asset tag`, or say which one it is');
  if (!at.has('mac') && !at.has('serial') && !at.has('name'))
    wrong(1, 'there is no column with MAC address, serial number or name, by which devices are known; add one');
  if (problems.length > 0) return { assets: [], problems, ignored: [] };
  const used = new Set(at.values());
  const ignored = (head?.cells ?? []).filter((_, index) => !used.has(index)).map((name) => tame(name, 60));
  const lineOf = new Map<string, number>();
  const assets: { line: number; asset: Asset }[] = [];
  for (const { line, cells } of records) {
    const cell = (field: keyof Asset): string => {
      const index = at.get(field);
      return index === undefined ? '' : (cells[index] ?? '').slice(0, MAX_CELL);
    };
    const tag = cell('tag');
    if (tag === '') {
      wrong(line, 'there is no asset tag; give one');
      continue;
    }
    const before = lineOf.get(tag);
    if (before !== undefined) {
      wrong(line, `asset ${tame(tag, 60)} stands in line ${before} already; remove one of them`);
      continue;
    }
    const hex = cell('mac')
      .toLowerCase()
      .replace(/[^0-9a-z]/g, '');
    if (hex !== '' && !/^[0-9a-f]{12}$/.test(hex)) {
      wrong(line, 'the MAC address is none; write it as aa:bb:cc:dd:ee:ff');
      continue;
    }
    const level = plain(cell('criticality'));
    const criticality = CRITICALITIES.find((known) => known === level) ?? OTHER_WORDS[level];
    if (level !== '' && criticality === undefined) {
      const meant = nearest(level, [...CRITICALITIES]);
      wrong(
        line,
        `the criticality is none of ${CRITICALITIES.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      );
      continue;
    }
    lineOf.set(tag, line);
    assets.push({
      line,
      asset: {
        tag,
        mac: hex.replace(/(..)(?=.)/g, '$1:'),
        serial: cell('serial').toUpperCase(),
        name: cell('name').toLowerCase(),
        owner: cell('owner'),
        room: cell('room'),
        criticality: criticality ?? '',
        contact: cell('contact'),
      },
    });
  }
  return { assets, problems, ignored };
}
