import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { deliveryId } from '../../src/alerts/delivery.ts';
import { asMuted } from '../../src/alerts/ocsf.ts';
import type { Outcome } from '../../src/alerts/delivery.ts';
import { openDeskFile } from '../../src/desk/desk-file.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { alertRow, alertRows, NOON } from '../delivery/rows.ts';
import { LOOK_MS, makeBench, TestSink, turns } from './bench.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const away: Outcome = { kind: 'retry', detail: 'ECONNREFUSED', away: true };
const failed: Outcome = { kind: 'retry', detail: 'HTTP 500', away: false };
const ok: Outcome = { kind: 'delivered', detail: 'ok' };

describe('a stored alert', () => {
  it('goes to every endpoint whose filter matches, at once', async () => {
    const bench = makeBench();
    const [all, severe, pumps] = [new TestSink(bench.clock), new TestSink(bench.clock), new TestSink(bench.clock)];
    const desk = await bench.open({
      all: { sink: all },
      severe: { sink: severe, filter: { severity_at_least: 5 } },
      ventilators: { sink: pumps, filter: { classes: ['ventilator'] } },
    });
    await bench.accept(desk, [alertRow()]);
    await turns();
    expect(all.got).toEqual(['alert_a1B2c3D4e5F6_1']);
    expect(severe.attempts).toEqual([]);
    expect(pumps.attempts).toEqual([]);
    expect(desk.status().counts).toEqual({ queued: 0, dead: 0, deferred: 0 });
    await desk.stop();
  });

  it('is queued once, however often the hot path makes it again', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    let desk = await bench.open({ siem: { sink } });
    const versions = [1, 2, 3].map((version) => alertRow({ version }));
    await bench.accept(desk, versions);
    await turns();
    await desk.stop();
    desk = await bench.open({ siem: { sink } });
    for (const row of versions) await bench.accept(desk, [row]);
    await turns();
    expect(sink.got).toEqual([1, 2, 3].map((version) => deliveryId(alertRow().uid, version)));
    await desk.stop();
  });

  it('is not delivered where the store did not take it', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    let desk = await bench.open({ siem: { sink } });
    const refused = desk.accept([alertRow()], () => Promise.reject(new Error('the store is away')));
    await expect(refused).rejects.toThrow('the store is away');
    await desk.stop();
    desk = await bench.open({ siem: { sink } });
    await turns();
    expect(sink.attempts).toEqual([]);
    await desk.stop();
  });

  it('is delivered where the store took it and said otherwise', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    let desk = await bench.open({ siem: { sink } });
    const row = alertRow({ time: NOON - 100 * DAY });
    await bench.accept(desk, [alertRow({ uid: 'newer' })]);
    await expect(
      desk.accept([row], async () => {
        await bench.store.write([row]);
        throw new Error('the answer was lost');
      }),
    ).rejects.toThrow();
    await desk.stop();
    // Its frames are older than those of others: no watermark of event time would find it.
    desk = await bench.open({ siem: { sink } });
    await turns();
    expect(sink.got).toEqual(['alert_newer_1', deliveryId(row.uid, 1)]);
    await desk.stop();
  });

  it('is found by the next start where the outbox is older than the store, history is not', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    await bench.store.write([alertRow({ uid: 'history', time: NOON - DAY })]);
    let desk = await bench.open({ siem: { sink } });
    await turns();
    expect(sink.attempts).toEqual([]);
    await bench.accept(desk, [alertRow({ uid: 'first' })]);
    await turns();
    await desk.stop();
    await bench.store.write(alertRows(1200, { time: NOON + 1 }));
    desk = await bench.open({ siem: { sink } });
    await bench.clock.advance(SECOND);
    await turns(3000);
    expect(sink.got).toHaveLength(1201);
    expect(new Set(sink.got).size).toBe(1201);
    await desk.stop();
  });
});

describe('order', () => {
  it('is kept per alert, while others overtake', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock, { concurrency: 8 });
    let first = true;
    sink.answer = ({ row }) => {
      if (row.uid !== 'slow' || !first) return ok;
      first = false;
      return failed;
    };
    const desk = await bench.open({ siem: { sink } });
    await bench.accept(
      desk,
      [1, 2, 3].flatMap((version) => [alertRow({ uid: 'slow', version }), alertRow({ uid: 'quick', version })]),
    );
    await turns();
    expect(sink.got).toEqual(['alert_quick_1', 'alert_quick_2', 'alert_quick_3']);
    await bench.clock.advance(10 * SECOND);
    expect(sink.got.slice(3)).toEqual(['alert_slow_1', 'alert_slow_2', 'alert_slow_3']);
    await desk.stop();
  });

  it('is kept behind a version that became a dead letter', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = ({ row }) => (row.version === 1 ? { kind: 'refused', detail: 'item 400' } : ok);
    const desk = await bench.open({ siem: { sink } });
    await bench.accept(
      desk,
      [1, 2].map((version) => alertRow({ version })),
    );
    await turns();
    expect(sink.got).toEqual([deliveryId(alertRow().uid, 2)]);
    expect(openDeskFile(bench.path).deadLetters(10)).toMatchObject([{ version: 1, attempts: 1, detail: 'item 400' }]);
    await desk.stop();
  });
});

describe('retries', () => {
  it('follow the schedule of Standard Webhooks, then become a dead letter', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = ({ row }) => (row.uid === 'poison' ? failed : ok);
    const desk = await bench.open({ siem: { sink } });
    const start = bench.clock.now();
    await bench.accept(desk, [alertRow({ uid: 'poison' })]);
    for (let hour = 0; hour < 24 * 5; hour++) {
      // Others get through meanwhile: the endpoint is well, this alert is not.
      await bench.accept(desk, [alertRow({ uid: `fine${hour}` })]);
      await bench.clock.advance(HOUR);
    }
    const at = sink.attempts.filter(({ ids }) => ids[0] === 'alert_poison_1').map((a) => (a.at - start) / SECOND);
    expect(at).toEqual([0, 5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105]);
    expect(desk.status().counts).toMatchObject({ queued: 0, dead: 1 });
    expect(sink.got).toHaveLength(120);
    await desk.stop();
  });

  it('lose nothing while a receiver is down for hours, and bring all of it soon after it is back', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = () => away;
    const desk = await bench.open({ siem: { sink } });
    for (let minute = 0; minute < 6 * 60; minute++) {
      await bench.accept(desk, [alertRow({ uid: `m${minute}` })]);
      await bench.clock.advance(MINUTE);
    }
    expect(sink.got).toEqual([]);
    // A receiver that is down is not hammered: about one attempt in five minutes.
    expect(sink.attempts.length).toBeLessThan(100);
    expect(desk.status().endpoints[0]).toMatchObject({ state: 'away', detail: 'ECONNREFUSED' });
    sink.answer = () => ok;
    await bench.clock.advance(7 * MINUTE);
    await turns(2000);
    expect(new Set(sink.got).size).toBe(360);
    expect(sink.got).toHaveLength(360);
    expect(desk.status().endpoints[0]).toMatchObject({ state: 'working', detail: '' });
    await desk.stop();
  });

  it('go on beyond the schedule while the endpoint is down, until give_up_days', { timeout: 120_000 }, async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = () => away;
    const desk = await bench.open({ siem: { sink } }, { give_up_days: 10 });
    await bench.accept(desk, [alertRow()]);
    await bench.clock.advance(9 * DAY);
    expect(desk.status().counts).toMatchObject({ queued: 1, dead: 0 });
    await bench.clock.advance(3 * DAY);
    expect(desk.status().counts).toMatchObject({ queued: 0, dead: 1 });
    await desk.stop();
  });

  it('wait as long as Retry-After asks, the whole endpoint', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock, { concurrency: 1 });
    sink.answer = () => ({ kind: 'retry', detail: 'HTTP 429', away: true, retryAfterMs: 10 * MINUTE });
    const desk = await bench.open({ siem: { sink } });
    await bench.accept(desk, alertRows(5));
    await bench.clock.advance(9 * MINUTE);
    expect(sink.attempts).toHaveLength(1);
    sink.answer = () => ok;
    await bench.clock.advance(2 * MINUTE);
    expect(sink.got).toHaveLength(5);
    await desk.stop();
  });

  it('go on after a restart where they were', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = () => failed;
    let desk = await bench.open({ siem: { sink } });
    await bench.accept(desk, [alertRow()]);
    await bench.clock.advance(10 * SECOND);
    expect(sink.attempts).toHaveLength(2);
    await desk.stop();
    desk = await bench.open({ siem: { sink } });
    await bench.clock.advance(MINUTE);
    expect(sink.attempts).toHaveLength(2);
    sink.answer = () => ok;
    await bench.clock.advance(5 * MINUTE);
    expect(sink.attempts).toHaveLength(3);
    expect(new Set(sink.attempts.map(({ id }) => id)).size).toBe(1);
    await desk.stop();
  });
});

describe('an endpoint', () => {
  it('that answers 410 is off until a person acts, and then gets what waited', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = () => ({ kind: 'gone', detail: 'the receiver answered 410 Gone' });
    let desk = await bench.open({ siem: { sink } });
    await bench.accept(desk, alertRows(3));
    await bench.clock.advance(DAY);
    const tried = sink.attempts.length;
    await desk.stop();
    desk = await bench.open({ siem: { sink } });
    await bench.clock.advance(DAY);
    expect(sink.attempts).toHaveLength(tried);
    expect(desk.status().endpoints[0]).toMatchObject({ state: 'disabled' });
    expect(desk.status().counts.queued).toBe(3);
    sink.answer = () => ok;
    openDeskFile(bench.path).ask({ kind: 'enable', endpoint: 'siem' });
    await bench.clock.advance(LOOK_MS);
    expect(sink.got).toHaveLength(3);
    await desk.stop();
  });

  it('that is slow holds up neither the others nor more than its share', async () => {
    const bench = makeBench();
    const [slow, quick] = [new TestSink(bench.clock, { concurrency: 2 }), new TestSink(bench.clock)];
    const release: (() => void)[] = [];
    slow.answer = () => new Promise<Outcome>((resolve) => release.push(() => resolve(ok)));
    const desk = await bench.open({ slow: { sink: slow }, quick: { sink: quick } });
    await bench.accept(desk, alertRows(50));
    await turns(200);
    expect(quick.got).toHaveLength(50);
    expect(slow.attempts).toHaveLength(2);
    while (slow.got.length < 50) {
      release.shift()?.();
      await turns(4);
    }
    expect(new Set(slow.got).size).toBe(50);
    await desk.stop();
  });

  it('that is no longer configured leaves dead letters, which come back with it', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = () => away;
    let desk = await bench.open({ old: { sink } });
    await bench.accept(desk, alertRows(3));
    await turns();
    await desk.stop();
    desk = await bench.open({ new: { sink: new TestSink(bench.clock) } });
    expect(desk.status().counts).toEqual({ queued: 0, dead: 3, deferred: 0 });
    await desk.stop();
    sink.answer = () => ok;
    desk = await bench.open({ old: { sink } });
    openDeskFile(bench.path).ask({ kind: 'revive', endpoint: 'old' });
    await bench.clock.advance(LOOK_MS);
    expect(sink.got).toHaveLength(3);
    await desk.stop();
  });
});

describe('batches', () => {
  it('are sent again with the same members and the same id, also after a restart', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock, { batchSize: 3, concurrency: 1, keepsBatches: true });
    sink.answer = () => away;
    let desk = await bench.open({ siem: { sink } });
    await bench.accept(desk, alertRows(2));
    await turns();
    await bench.accept(desk, [alertRow({ uid: 'later' })]);
    await desk.stop();
    sink.answer = () => ok;
    desk = await bench.open({ siem: { sink } });
    await bench.clock.advance(MINUTE);
    const [first, ...others] = sink.attempts;
    const again = others.find(({ id }) => id === first!.id);
    expect(first!.id).toMatch(/^batch_[0-9a-f]{32}$/);
    expect(again!.ids).toEqual(first!.ids);
    expect(new Set(sink.got).size).toBe(3);
    await desk.stop();
  });

  it('of which parts fail are tried again in those parts', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock, { batchSize: 10, concurrency: 1 });
    let tries = 0;
    sink.answer = ({ row }) => (row.uid === 'alert000003' && tries++ === 0 ? failed : ok);
    const desk = await bench.open({ siem: { sink } });
    await bench.accept(desk, alertRows(10));
    await bench.clock.advance(MINUTE);
    expect(sink.attempts.map(({ ids }) => ids.length)).toEqual([10, 1]);
    expect(new Set(sink.got).size).toBe(10);
    await desk.stop();
  });
});

describe('bounds', () => {
  it('keep only numbers beyond max_queued, and lose nothing', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock, { concurrency: 32 });
    sink.answer = () => away;
    const desk = await bench.open({ siem: { sink } }, { max_queued: 1000 });
    for (let i = 0; i < 30; i++)
      await bench.accept(
        desk,
        alertRows(100).map((row) => ({ ...row, uid: `${row.uid}x${i}` })),
      );
    expect(desk.status().counts).toMatchObject({ queued: 1000, deferred: 2000 });
    // A newer version of a deferred alert stands in its place.
    await bench.accept(desk, [alertRow({ uid: 'alert000099x29', version: 2 })]);
    expect(desk.status().counts).toMatchObject({ queued: 1000, deferred: 2000 });
    sink.answer = () => ok;
    for (let i = 0; i < 6; i++) {
      await bench.clock.advance(LOOK_MS);
      await turns(300);
    }
    expect(desk.status().counts).toMatchObject({ queued: 0, deferred: 0 });
    expect(new Set(sink.got).size).toBe(3000);
    expect(sink.got).toContain('alert_alert000099x29_2');
    expect(bench.dropped).toEqual({});
    await desk.stop();
  });

  it('count what they make impossible', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = () => away;
    const desk = await bench.open({ siem: { sink } }, { max_queued: 10, max_deferred: 10 });
    await bench.accept(desk, alertRows(25));
    expect(desk.status().counts).toMatchObject({ queued: 10, deferred: 10 });
    expect(bench.dropped).toEqual({ 'deliveries: too many deferred': 5 });
    await desk.stop();
  });

  it('let the oldest dead letters go, counted', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = () => ({ kind: 'refused', detail: 'item 400' });
    const desk = await bench.open({ siem: { sink } }, { max_dead_letters: 10 });
    await bench.accept(desk, alertRows(15));
    await turns(100);
    expect(desk.status().counts.dead).toBe(10);
    expect(bench.dropped).toEqual({ 'deliveries: too many dead letters': 5 });
    await desk.stop();
    const db = new DatabaseSync(bench.path);
    expect(db.prepare('SELECT count(*) AS n FROM bodies').get()).toEqual({ n: 10 });
    db.close();
  });
});

describe('the command line', () => {
  it('asks for a time range again, with the same ids', async () => {
    const bench = makeBench();
    const [sink, other] = [new TestSink(bench.clock), new TestSink(bench.clock)];
    let desk = await bench.open({ siem: { sink }, other: { sink: other } });
    await bench.accept(
      desk,
      [1, 2, 3].map((hour) => alertRow({ uid: `h${hour}`, time: NOON + hour * HOUR })),
    );
    await turns();
    await desk.stop();
    // Nothing runs: the request waits in the file.
    openDeskFile(bench.path).ask({ kind: 'replay', endpoint: 'siem', fromMs: NOON + 2 * HOUR, toMs: NOON + 3 * HOUR });
    expect(openDeskFile(bench.path).summary().requests).toBe(1);
    desk = await bench.open({ siem: { sink }, other: { sink: other } });
    await bench.clock.advance(SECOND);
    expect(sink.got.slice(3).sort()).toEqual(['alert_h2_1', 'alert_h3_1']);
    expect(other.got).toHaveLength(3);
    expect(openDeskFile(bench.path).summary().requests).toBe(0);
    await desk.stop();
  });

  it('reads log and queue while the program runs', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    sink.answer = ({ row }) => (row.uid === 'alert000001' ? away : ok);
    const desk = await bench.open({ siem: { sink } });
    await bench.accept(desk, alertRows(3));
    await turns();
    const file = openDeskFile(bench.path);
    expect(file.summary().endpoints).toMatchObject([{ endpoint: 'siem', queued: 1, dead: 0, disabled: '' }]);
    expect(file.log(10).map(({ uid, outcome, detail }) => [uid, outcome, detail])).toEqual([
      ['alert000002', 'delivered', 'ok'],
      ['alert000001', 'retry', 'ECONNREFUSED'],
      ['alert000000', 'delivered', 'ok'],
    ]);
    expect(file.log(10, 'nobody')).toEqual([]);
    await desk.stop();
    expect(() => openDeskFile(`${bench.path}.none`).summary()).toThrow('there is no desk');
  });

  it('is told where a newer program wrote the file', async () => {
    const bench = makeBench();
    const db = new DatabaseSync(bench.path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    await expect(bench.open({ siem: { sink: new TestSink(bench.clock) } })).rejects.toMatchObject({
      code: 'WW_STORE_SCHEMA',
    });
  });
});

describe('a store that others write to', () => {
  const watched = { watch: true } as const;

  it('is looked at for what came in, whatever time it carries; each version is queued once', async () => {
    const bench = makeBench();
    const { store, clock } = bench;
    const sink = new TestSink(clock);
    await store.write([alertRow({ uid: 'history', time: NOON + 1 })]);
    const desk = await bench.open({ siem: { sink } }, {}, watched);
    await clock.advance(LOOK_MS);
    expect(sink.got).toEqual([]);

    // Of an old capture, and late: an insert that began before the last look and ended after it.
    await store.write([alertRow({ uid: 'old', time: 5 })]);
    store.second -= 200;
    await store.write([alertRow({ uid: 'late' })]);
    store.second += 200;
    await clock.advance(LOOK_MS);
    await store.write([alertRow({ uid: 'old', time: 5, version: 2 })]);
    for (let i = 0; i < 3; i++) await clock.advance(LOOK_MS);
    expect(sink.got).toEqual(['alert_late_1', 'alert_old_1', 'alert_old_2']);
    await desk.stop();

    // While nobody looked, for longer than any overlap.
    store.second += 9000;
    await store.write([alertRow({ uid: 'meanwhile' }), alertRow({ uid: 'old', time: 5, version: 4 })]);
    store.second += 9000;
    const again = await bench.open({ siem: { sink } }, {}, watched);
    await clock.advance(LOOK_MS);
    expect(sink.got.slice(3)).toEqual(['alert_meanwhile_1', 'alert_old_4']);

    // Its clock is set back by a day, and forth again.
    store.second -= 86_400;
    await store.write([alertRow({ uid: 'back' })]);
    await clock.advance(LOOK_MS);
    store.second += 10;
    await store.write([alertRow({ uid: 'back2' })]);
    await clock.advance(LOOK_MS);
    store.second += 86_400;
    await store.write([alertRow({ uid: 'forth' })]);
    await clock.advance(LOOK_MS);
    expect(sink.got.slice(5)).toEqual(['alert_back_1', 'alert_back2_1', 'alert_forth_1']);
    await again.stop();
  });

  it('may name what a lagging replica does not give yet: it is asked for until it does', async () => {
    const bench = makeBench();
    const sink = new TestSink(bench.clock);
    const desk = await bench.open({ siem: { sink } }, {}, watched);
    await bench.clock.advance(LOOK_MS);
    await bench.store.write([alertRow({ uid: 'n1' })]);
    const whole = bench.store.alertsOf.bind(bench.store);
    bench.store.alertsOf = async () => [];
    for (let i = 0; i < 5; i++) {
      bench.store.second += 250;
      await bench.clock.advance(LOOK_MS);
    }
    expect(sink.got).toEqual([]);
    bench.store.alertsOf = whole;
    await bench.clock.advance(LOOK_MS);
    expect(sink.got).toEqual(['alert_n1_1']);
    await desk.stop();
  });
});

describe('a muted alert', () => {
  it('goes only to who wants it, as muted; to the others when the rule is undone', async () => {
    const bench = makeBench();
    const soc = new TestSink(bench.clock);
    const archive = new TestSink(bench.clock);
    const muted = new Set(['a']);
    const judge = (rows: readonly AlertRow[]): AlertRow[] =>
      rows.map((row) => asMuted(row, muted.has(row.uid) ? 'r7' : undefined));
    const one = await bench.open({ soc: { sink: soc } }, {}, { judge });
    await bench.accept(one, [alertRow({ uid: 'a' }), alertRow({ uid: 'b' })]);
    await bench.clock.advance(0);
    expect(soc.got).toEqual(['alert_b_1']);
    muted.clear();
    one.reconsider([
      { uid: 'a', version: 1 },
      { uid: 'b', version: 1 },
    ]);
    await bench.clock.advance(0);
    expect(soc.got).toEqual(['alert_b_1', 'alert_a_1']);
    await one.stop();

    muted.add('c');
    const statuses: unknown[] = [];
    archive.answer = ({ row }) => {
      statuses.push((JSON.parse(row.ocsf) as { status: unknown }).status);
      return { kind: 'delivered', detail: 'ok' };
    };
    const two = await bench.open({ archive: { sink: archive, filter: { muted: true } } }, {}, { judge });
    await bench.accept(two, [alertRow({ uid: 'c' })]);
    await bench.clock.advance(0);
    expect(archive.got).toEqual(['alert_c_1']);
    expect(statuses).toEqual(['Suppressed']);
    await two.stop();
  });
});
