import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/desk/database.ts';
import { Triage } from '../../src/desk/triage.ts';
import { ALERTS, BEACON, DEVICES, NOW, PUMP, alertRow } from '../api/rows.ts';

let folder: string;
let now: number;
let triage: Triage;
let close: () => void;

function open(): void {
  const db = openDatabase(join(folder, 'desk.sqlite'));
  triage = new Triage(db, { now: () => now });
  close = () => db.close();
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-triage-'));
  now = NOW;
  open();
  triage.accept(ALERTS);
});
afterEach(() => {
  close();
  rmSync(folder, { recursive: true, force: true });
});

const uids = (filter: Parameters<Triage['page']>[0] = {}) =>
  triage.page(filter, 'time', 100).items.map((item) => item.uid);

describe('the queue', () => {
  it('holds every alert once, newest or worst first, in pages that do not overlap', () => {
    expect(uids()).toEqual(ALERTS.map((row) => row.uid));
    triage.accept(ALERTS);
    expect(triage.page({}, 'time', 5).total).toBe(ALERTS.length);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = triage.page({}, 'severity', 2, cursor);
      seen.push(...page.items.map((item) => item.uid));
      cursor = page.next;
    } while (cursor !== undefined);
    expect(new Set(seen)).toEqual(new Set(ALERTS.map((row) => row.uid)));
    expect(seen).toHaveLength(ALERTS.length);
    expect(() => triage.page({}, 'time', 2, 'bm9uc2Vuc2U')).toThrow('cursor');
  });

  it('is filtered by state, assignee, tag, detector, device, severity, VLAN and words', () => {
    triage.edit(BEACON.uid, 0, { state: 'in_progress', assignee: 'anna', add_tags: ['ward 3'] }, 'anna');
    expect(uids({ state: 'in_progress' })).toEqual([BEACON.uid]);
    expect(uids({ assignee: 'anna' })).toEqual([BEACON.uid]);
    expect(uids({ assignee: '-' })).toHaveLength(ALERTS.length - 1);
    expect(uids({ tag: 'ward 3' })).toEqual([BEACON.uid]);
    expect(uids({ contributed: 'new-external-peer' })).toEqual([BEACON.uid]);
    expect(uids({ involved: DEVICES[2]!.device })).toEqual([BEACON.uid]);
    expect(uids({ severity: 5 })).toEqual([BEACON.uid]);
    expect(uids({ vlans: ['7'] })).toEqual([]);
    expect(uids({ vlans: [] })).toEqual([]);
    expect(uids({ text: 'outside 10.20.4' })).toEqual([BEACON.uid]);
    expect(uids({ text: '"calls" OR *' })).toEqual([]);
    expect(uids({ peer: '203.0.113.66' })).toEqual([BEACON.uid]);
    expect(uids({ service: 'tls' })).toEqual([BEACON.uid]);
    triage.edit(BEACON.uid, 1, { assignee: '', remove_tags: ['ward 3'] }, 'anna');
    expect(uids({ tag: 'ward 3' })).toEqual([]);
    expect(uids({ assignee: 'anna' })).toEqual([]);
  });
});

describe('the life of an alert', () => {
  it('keeps who did what when', () => {
    triage.edit(BEACON.uid, 0, { state: 'in_progress', assignee: 'anna' }, 'anna');
    now += 60_000;
    triage.comment(BEACON.uid, 'called the ward', 'anna');
    triage.edit(BEACON.uid, 1, { state: 'resolved', resolution: 'true_positive', note: 'pump swapped' }, 'ben');
    expect(triage.history(BEACON.uid).map(({ at, who, what, comment }) => ({ at, who, what, comment }))).toEqual([
      { at: NOW, who: 'anna', what: 'started', comment: '' },
      { at: NOW + 60_000, who: 'anna', what: 'commented', comment: 'called the ward' },
      { at: NOW + 60_000, who: 'ben', what: 'resolved', comment: '' },
    ]);
    expect(uids()).not.toContain(BEACON.uid);
  });

  it('does not lose an edit that was made on an older state', () => {
    triage.edit(BEACON.uid, 0, { assignee: 'anna' }, 'anna');
    const outcome = triage.edit(BEACON.uid, 0, { assignee: 'ben' }, 'ben');
    expect(outcome).toMatchObject({ kind: 'stale', item: { assignee: 'anna', revision: 1 } });
    expect(triage.item(BEACON.uid)!.assignee).toBe('anna');
  });

  it('opens a resolved alert again when it goes on', () => {
    triage.edit(BEACON.uid, 0, { state: 'resolved', resolution: 'benign' }, 'anna');
    triage.accept([{ ...BEACON, version: 2 }]);
    expect(triage.item(BEACON.uid)).toMatchObject({ state: 'new', resolution: '', reopened: 1, version: 2 });
    expect(triage.history(BEACON.uid).at(-1)).toMatchObject({ what: 'happened again', who: '' });
  });

  it('calls a new alert of the same detector, device and subject a repeat of the resolved one', () => {
    const first = alertRow({ ...PARTS, uid: 'first', ocsf: { unmapped: { pattern: 'abc' } } });
    const again = alertRow({ ...PARTS, uid: 'again', minutesAgo: 1, ocsf: { unmapped: { pattern: 'abc' } } });
    triage.accept([first]);
    triage.edit('first', 0, { state: 'resolved', resolution: 'false_positive' }, 'anna');
    triage.accept([again]);
    expect(triage.item('again')).toMatchObject({ state: 'new', repeat_of: 'first' });
    expect(triage.repeats('again').map((item) => item.uid)).toEqual(['first']);
    expect(triage.history('first').at(-1)!.what).toContain('happened again');
  });

  it('changes many at once only where the number is the one that was seen', () => {
    const filter = { severity: 3 };
    expect(triage.bulk(filter, 3, { state: 'resolved', resolution: 'test' }, 'anna')).toEqual({
      kind: 'differs',
      count: 6,
    });
    expect(triage.bulk(filter, 6, { state: 'resolved', resolution: 'test' }, 'anna').kind).toBe('done');
    expect(triage.count({ state: 'resolved' })).toBe(6);
  });
});

const PARTS = {
  uid: 'x',
  minutesAgo: 5,
  severity: 3 as const,
  detector: 'new-peer',
  title: 'New peer',
  message: 'A pump talks to a new host.',
  about: PUMP,
};

describe('rules', () => {
  it('act on what is open, and what they did is taken back', async () => {
    const scope = { device: PUMP.device, detector: 'new-peer' };
    triage.accept([alertRow({ ...PARTS, uid: 'p1' }), alertRow({ ...PARTS, uid: 'p2', severity: 5 })]);
    expect(triage.rules.preview(scope, NOW)).toMatchObject({
      alerts: 2,
      open: 2,
      by_severity: { 3: 1, 5: 1 },
      devices: 1,
      examples: ['p2', 'p1'],
    });
    const rule = await triage.rules.create(
      { act: 'learn', scope, reason: 'new server', resolution: 'benign', until: 0 },
      'anna',
    );
    expect(triage.item('p1')).toMatchObject({ state: 'resolved', resolution: 'benign', resolved_by: rule.id });
    triage.accept([alertRow({ ...PARTS, uid: 'p3' })]);
    expect(triage.item('p3')!.state).toBe('resolved');
    expect(triage.rules.rule(rule.id)!.matches).toBe(3);
    // What a person has decided since is not touched by the undo.
    triage.edit('p2', triage.item('p2')!.revision, { state: 'resolved', resolution: 'true_positive' }, 'ben');
    await triage.rules.undo(rule.id, 'ben');
    expect(['p1', 'p2', 'p3'].map((uid) => triage.item(uid)!.state)).toEqual(['new', 'resolved', 'new']);
    expect(triage.rules.decisions()).toEqual([]);
  });

  it('hide what is muted without deciding about it, and the next rule takes over what one lets go', async () => {
    triage.accept([alertRow({ ...PARTS, uid: 'p1' })]);
    const mute = { act: 'mute' as const, reason: 'noise', resolution: 'benign' as const, until: 0 };
    const one = await triage.rules.create({ ...mute, scope: { device: PUMP.device } }, 'anna');
    const two = await triage.rules.create({ ...mute, scope: { detector: 'new-peer' } }, 'anna');
    expect(triage.item('p1')).toMatchObject({ state: 'new', muted_by: one.id });
    expect(uids()).not.toContain('p1');
    expect(uids({ muted: 'only' })).toContain('p1');
    await triage.rules.undo(one.id, 'anna');
    expect(triage.item('p1')!.muted_by).toBe(two.id);
    expect(triage.item(BEACON.uid)!.muted_by).toBe(0);
  });

  it('close once, or until a time', async () => {
    triage.accept([alertRow({ ...PARTS, uid: 'p1' })]);
    const close = { act: 'close' as const, scope: { detector: 'new-peer' }, reason: 'dealt with' };
    const once = await triage.rules.create({ ...close, resolution: 'true_positive', until: 0 }, 'anna');
    expect(once.status).toBe('over');
    triage.accept([alertRow({ ...PARTS, uid: 'p2' })]);
    expect(triage.item('p2')!.state).toBe('new');
    await triage.rules.create({ ...close, resolution: 'test', until: NOW + 3_600_000 }, 'anna');
    triage.accept([alertRow({ ...PARTS, uid: 'p3' })]);
    expect(triage.item('p3')).toMatchObject({ state: 'resolved', resolution: 'test' });
    now += 3_600_001;
    triage.accept([alertRow({ ...PARTS, uid: 'p4' })]);
    expect(triage.item('p4')!.state).toBe('new');
  });

  it('tell which of them never match and which are about to end', async () => {
    const rule = { act: 'mute' as const, scope: { detector: 'none' }, reason: 'x', resolution: 'benign' as const };
    await triage.rules.create({ ...rule, until: 0 }, 'anna');
    await triage.rules.create({ ...rule, until: NOW + 86_400_000 }, 'anna');
    expect(triage.rules.rules().map((one) => one.remark)).toEqual(['expires soon', '']);
    now += 40 * 86_400_000;
    expect(triage.rules.rules().map((one) => one.remark)).toEqual(['', 'never matches']);
    expect(triage.rules.rules()[0]!.status).toBe('over');
  });

  it('go on after a crash in the middle', async () => {
    triage.accept(Array.from({ length: 1200 }, (_, n) => alertRow({ ...PARTS, uid: `m${n}` })));
    const working = triage.rules.create(
      { act: 'close', scope: { detector: 'new-peer' }, reason: 'x', resolution: 'test', until: 0 },
      'anna',
    );
    // The first part is done, the others have not had their turn.
    close();
    await expect(working).rejects.toThrow();
    open();
    const half = triage.count({ state: 'resolved' });
    expect(half).toBeGreaterThan(0);
    expect(half).toBeLessThan(1200);
    await triage.rules.resume();
    expect(triage.count({ state: 'resolved', detector: 'new-peer' })).toBe(1201);
  });
});

describe('the maintenance calendar', () => {
  it('marks alerts in its time, before and after they come, and takes the marks off', async () => {
    const window = await triage.rules.addWindow(
      { title: 'update', scope: { vlan: '220' }, act: 'informational', from: NOW - 30 * 60_000, to: NOW },
      'anna',
    );
    expect(triage.item(BEACON.uid)).toMatchObject({ maintenance: window.id, severity: 1, state: 'new' });
    triage.accept([alertRow({ ...PARTS, uid: 'later', severity: 4 })]);
    expect(triage.item('later')).toMatchObject({ maintenance: window.id, severity: 1 });
    expect(triage.item('a-silent-0006')!.maintenance).toBe(0);
    await triage.rules.removeWindow(window.id, 'anna');
    expect(triage.item(BEACON.uid)).toMatchObject({ maintenance: 0, severity: 5 });
    const muting = await triage.rules.addWindow({ title: 'x', scope: {}, act: 'mute', from: 0, to: NOW + 1 }, 'anna');
    expect(uids()).toEqual([]);
    await triage.rules.removeWindow(muting.id, 'anna');
    expect(uids()).toHaveLength(ALERTS.length + 1);
  });
});

describe('incidents', () => {
  const at = (uid: string, minutesAgo: number, device: number, more: object) =>
    alertRow({
      ...PARTS,
      uid,
      minutesAgo,
      about: DEVICES[device]!,
      attacks: ['T0846'],
      more: { parties: [], ...more },
    });

  it('join alerts of one source, and those of a victim that acts; a person may split them', () => {
    triage.accept([at('i1', 50, 1, { parties: [DEVICES[3]!.device] }), at('i2', 40, 1, {})]);
    triage.accept([at('i3', 30, 3, { attacks: ['T0812'] })]);
    const incident = triage.item('i1')!.incident;
    expect(incident).toBeGreaterThan(0);
    expect(['i2', 'i3'].map((uid) => triage.item(uid)!.incident)).toEqual([incident, incident]);
    const other = triage.incidents.split(incident, ['i2'], 'anna', 'new')!;
    expect(triage.item('i2')!.incident).toBe(other);
    triage.accept([{ ...at('i2', 40, 1, {}), version: 2 }]);
    expect(triage.item('i2')!.incident).toBe(other);
    expect(triage.incidents.merge(other, incident, 'anna')).toBe(true);
    expect(triage.incidents.get(other)!.id).toBe(incident);
    expect(triage.incidents.get(incident)!.history.map((entry) => entry.who)).toEqual(['anna', 'anna']);
    expect(triage.incidents.get(incident, ['7'])).toBeUndefined();
  });
});

describe('views and forgetting', () => {
  it('keeps views of a user, shows shared ones to others', () => {
    triage.views.save({ name: 'mine', query: 'state=new', shared: false }, 'anna');
    const shared = triage.views.save({ name: 'worst', query: 'severity=5', shared: true }, 'anna')!;
    expect(triage.views.of('ben').map((view) => view.name)).toEqual(['worst']);
    expect(triage.views.remove(shared.id, 'ben')).toBe(false);
    expect(triage.views.remove(shared.id, 'anna')).toBe(true);
  });

  it('forgets what the store no longer keeps', () => {
    now += 1000;
    triage.accept([alertRow({ ...PARTS, uid: 'young' })]);
    expect(triage.forgetBefore(NOW + 1)).toBe(ALERTS.length);
    expect(uids()).toEqual(['young']);
    expect(uids({ text: 'pump' })).toEqual(['young']);
  });
});
