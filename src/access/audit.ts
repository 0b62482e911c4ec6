import { createHash, createHmac } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { transaction } from '../desk/database.ts';
import type { Clock } from '../desk/clock.ts';
import { isSame } from './secrets.ts';

/** What is written down. No text that a person typed freely, no secret, nothing of a patient. */
export interface AuditEvent {
  /** Name of the user or token; empty where nobody is known. */
  readonly who: string;
  /** What was done, such as `sign-in` or `alert.closed`. */
  readonly act: string;
  /** What it was done to: an id, a name; empty where there is nothing to name. */
  readonly object?: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly detail?: string;
  /** Address of the client, where there is one. */
  readonly address?: string;
}

export interface AuditEntry extends Required<AuditEvent> {
  readonly seq: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Entry and hash of the end of the chain. Kept elsewhere it shows whether the log was taken back to an older one. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

export type AuditVerdict =
  | { readonly ok: true; readonly head: AuditHead; readonly keyed: boolean }
  | { readonly ok: false; readonly seq: number; readonly fault: string };

export interface AuditFilter {
  readonly who?: string | undefined;
  readonly act?: string | undefined;
  readonly outcome?: string | undefined;
}

export interface AuditLog {
  /** On disk when it comes back. What it throws has to stop what was to be audited. */
  write(event: AuditEvent): void;
  /** The newest first, from before `before`. */
  list(limit: number, before?: number, filter?: AuditFilter): AuditEntry[];
  /** All, oldest first, each as the line that its hash was made of, with the hash. */
  lines(): Generator<string>;
  head(): AuditHead;
  /** Recomputes the whole chain; `known` is an older head that has to be in it. */
  verify(known?: AuditHead): AuditVerdict;
}

const GENESIS = '0'.repeat(64);
/** Longer texts are cut: an entry is a line, not a document. */
const LONGEST = 500;

/** Texts of one line: an entry cannot be made to look like two. */
const clean = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .toWellFormed()
    .slice(0, LONGEST);

/** The canonical form: JSON with the members in this order and nothing between them. */
function canonical(entry: AuditEntry): string {
  const { seq, at, who, act, object, outcome, detail, address } = entry;
  return JSON.stringify({ seq, at, who, act, object, outcome, detail, address });
}

/**
 * The audit log in the desk. Each entry holds the hash of the one before it: SHA-256, or with a key HMAC-SHA-256,
 * which whoever can write the database but not read the key cannot compute. The head (number and hash of the last
 * entry) is sealed the same way, so that a log cut off at its end is found.
 */
export function createAuditLog(db: DatabaseSync, clock: Pick<Clock, 'now'>, key?: string): AuditLog {
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = db.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  const digest = (text: string): string =>
    (key === undefined ? createHash('sha256') : createHmac('sha256', key)).update(text).digest('hex');
  const hashOf = (before: string, line: string): string => digest(`entry\n${before}\n${line}`);
  const sealOf = (seq: number, hash: string): string => digest(`head\n${seq}\n${hash}`);
  const readHead = (): (AuditHead & { seal: string }) | undefined => {
    const row = prepared('SELECT seq, hash, seal FROM audit_head').get();
    if (row === undefined) return undefined;
    return { seq: Number(row['seq']), hash: String(row['hash']), seal: String(row['seal']) };
  };

  return {
    write(event) {
      // Within a transaction of the caller the entry stands or falls with what it tells of.
      const whole = (work: () => void): void => (db.isTransaction ? work() : transaction(db, work));
      whole(() => {
        const { seq: last, hash: before } = readHead() ?? { seq: 0, hash: GENESIS };
        const seq = last + 1;
        const entry: AuditEntry = {
          seq,
          at: clock.now(),
          who: clean(event.who),
          act: clean(event.act),
          object: clean(event.object ?? ''),
          outcome: event.outcome,
          detail: clean(event.detail ?? ''),
          address: clean(event.address ?? ''),
        };
        const line = canonical(entry);
        const hash = hashOf(before, line);
        prepared('INSERT INTO audit (seq, entry, hash) VALUES (?, ?, ?)').run(seq, line, hash);
        prepared(
          `INSERT INTO audit_head VALUES (1, ?1, ?2, ?3)
           ON CONFLICT (one) DO UPDATE SET seq = ?1, hash = ?2, seal = ?3`,
        ).run(seq, hash, sealOf(seq, hash));
      });
    },

    list(limit, before = Number.MAX_SAFE_INTEGER, filter = {}) {
      return prepared(
        `SELECT entry FROM audit WHERE seq < ?1
           AND (?2 = '' OR entry ->> 'who' = ?2) AND (?3 = '' OR entry ->> 'act' = ?3)
           AND (?4 = '' OR entry ->> 'outcome' = ?4) ORDER BY seq DESC LIMIT ?5`,
      )
        .all(before, filter.who ?? '', filter.act ?? '', filter.outcome ?? '', limit)
        .map((row) => JSON.parse(String(row['entry'])) as AuditEntry);
    },

    *lines() {
      for (let last = 0; ;) {
        const rows = prepared('SELECT seq, entry, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT 500').all(last);
        for (const row of rows) yield `${String(row['entry']).slice(0, -1)},"hash":"${String(row['hash'])}"}\n`;
        if (rows.length < 500) return;
        last = Number(rows.at(-1)!['seq']);
      }
    },

    head: () => readHead() ?? { seq: 0, hash: GENESIS },

    verify(known) {
      let seq = 0;
      let hash = GENESIS;
      const wrong = (at: number, fault: string): AuditVerdict => ({ ok: false, seq: at, fault });
      // A statement of its own: it is read row by row while others may be asked.
      for (const row of db.prepare('SELECT seq, entry, hash FROM audit ORDER BY seq').iterate()) {
        seq++;
        if (Number(row['seq']) !== seq) return wrong(seq, 'the entry is missing');
        const line = String(row['entry']);
        hash = hashOf(hash, line);
        if (!isSame(hash, String(row['hash'])) || !line.startsWith(`{"seq":${seq},`))
          return wrong(seq, 'the entry was changed, or the key is another');
        if (known?.seq === seq && !isSame(known.hash, hash))
          return wrong(seq, 'the entry is not that of the known head');
      }
      const head = readHead();
      if (head === undefined && seq > 0) return wrong(seq, 'the head of the log is missing');
      if (head !== undefined) {
        if (!isSame(head.seal, sealOf(head.seq, head.hash))) return wrong(head.seq, 'the seal of the head is wrong');
        if (head.seq > seq) return wrong(seq + 1, `the log was cut off: ${head.seq - seq} entries are missing`);
        if (head.seq < seq || !isSame(head.hash, hash)) return wrong(head.seq, 'the head does not belong to the log');
      }
      if (known !== undefined && known.seq > seq)
        return wrong(seq + 1, `the log ends before the known head at ${known.seq}`);
      return { ok: true, head: { seq, hash }, keyed: key !== undefined };
    },
  };
}
