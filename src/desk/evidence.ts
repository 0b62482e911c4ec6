import type { DatabaseSync } from 'node:sqlite';
import { transaction } from './database.ts';

/** A capture of the frames around an alert, as the hot path kept them. */
export interface Evidence {
  /** Where it comes from: the slice that was stored with the alert. */
  readonly source: 'stored';
  readonly frames: number;
  readonly pcapng: Uint8Array;
}

/** Where frames around an alert may be had. */
export interface EvidenceSource {
  evidenceOf(uid: string): Evidence | undefined | Promise<Evidence | undefined>;
}

export interface NewEvidence {
  readonly uid: string;
  readonly frames: number;
  readonly pcapng: Uint8Array;
}

/** Bytes of all evidence together; the oldest goes first. */
const MAX_BYTES = 268_435_456;

/** Evidence of alerts, kept beside what people make of them; bounded in all. */
export class EvidenceShelf implements EvidenceSource {
  readonly #db: DatabaseSync;
  #bytes: number;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#bytes = Number(db.prepare('SELECT coalesce(sum(length(pcapng)), 0) AS n FROM evidence').get()?.['n']);
  }

  /** A newer slice of an alert takes the place of the older one. */
  keep(slices: readonly NewEvidence[]): void {
    if (slices.length === 0) return;
    transaction(this.#db, () => {
      const size = this.#db.prepare('SELECT length(pcapng) AS n FROM evidence WHERE uid = ?');
      const put = this.#db.prepare('INSERT OR REPLACE INTO evidence (uid, frames, pcapng) VALUES (?, ?, ?)');
      const oldest = this.#db.prepare(
        'DELETE FROM evidence WHERE id = (SELECT min(id) FROM evidence) RETURNING length(pcapng) AS n',
      );
      for (const { uid, frames, pcapng } of slices) {
        this.#bytes += pcapng.length - Number(size.get(uid)?.['n'] ?? 0);
        put.run(uid, frames, pcapng);
        while (this.#bytes > MAX_BYTES) {
          const gone = oldest.get();
          if (gone === undefined) break;
          this.#bytes -= Number(gone['n']);
        }
      }
    });
  }

  /** Undefined where none was kept, or it had to make room. */
  evidenceOf(uid: string): Evidence | undefined {
    const row = this.#db.prepare('SELECT frames, pcapng FROM evidence WHERE uid = ?').get(uid.slice(0, 256));
    if (row === undefined) return undefined;
    return { source: 'stored', frames: Number(row['frames']), pcapng: row['pcapng'] as Uint8Array };
  }
}
