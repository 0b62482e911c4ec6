import { describeError } from '../kernel/errors.ts';
import type { Reporter } from '../kernel/component.ts';
import type { EvidenceRow } from '../kernel/rows.ts';
import type { Evidence, EvidenceShelf } from '../desk/evidence.ts';
import { seal, unseal } from '../state/seal.ts';
import type { StateKeys } from '../state/seal.ts';
import type { Store } from '../store/contract.ts';

type EvidenceStore = Pick<Store, 'putEvidence' | 'evidenceOf'>;

/** What a blob is sealed for: one in another alert's place is refused. */
const nameOf = (uid: string): string => `evidence/${uid}`;

/** Stores frames around alerts where the server finds them; encrypted where there is a key of state. */
export function storeEvidence(store: EvidenceStore, rows: readonly EvidenceRow[], keys: StateKeys): Promise<void> {
  return store.putEvidence(
    rows.map(({ uid, frames, pcapng }) => ({ uid, frames, blob: seal(pcapng, nameOf(uid), keys) })),
  );
}

/** Evidence from the desk's shelf, or from the store, where detectors in other processes have put it. */
export function evidenceOfAll(shelf: EvidenceShelf, store: EvidenceStore, keys: StateKeys, reporter: Reporter) {
  return {
    async evidenceOf(uid: string): Promise<Evidence | undefined> {
      const own = shelf.evidenceOf(uid);
      if (own !== undefined) return own;
      const found = await store.evidenceOf(uid);
      if (found === undefined) return undefined;
      try {
        return { source: 'stored', frames: found.frames, pcapng: unseal(found.blob, nameOf(uid), keys) };
      } catch (error) {
        reporter.log('warn', 'stored frames cannot be opened', { uid, error: describeError(error) });
        return undefined;
      }
    },
  };
}
