import { createHash, randomBytes } from 'node:crypto';
import type { Reporter } from '../kernel/component.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { seal, unseal } from './seal.ts';
import type { StateKeys } from './seal.ts';
import type { StateStore } from './store.ts';

/** What a stored state stands for. */
export interface StatePoint {
  /** Offset of the first record that the state has not seen. */
  readonly offset: bigint;
  /** Offset of the first record that has to be read once more to rebuild buffers; `offset` where none has. */
  readonly rewindOffset: bigint;
  /** Event time reached, epoch microseconds. */
  readonly eventUs: number;
  /** Where recent records lie in time: offset and event time of their first frame, ascending. */
  readonly marks: readonly (readonly [offset: bigint, us: number])[];
  /** For people: how much is known. */
  readonly devices: number;
}

export interface FoundState extends StatePoint {
  /** Blocks of the codec, checked. */
  readonly blocks: readonly Uint8Array[];
  /** Epoch milliseconds at which it was stored. */
  readonly savedMs: number;
}

/** The right to keep the state of one scope, until somebody else takes it over. */
export interface StateLease {
  /** The newest state that can be used; undefined where there is none. */
  readonly found: FoundState | undefined;
  /** Why newer states than the found one were not used. */
  readonly refused: readonly string[];
  /** False once somebody else has taken the scope over: what is made from here on is theirs to make. */
  isMine(): Promise<boolean>;
  /**
   * Stores a state: its blocks, then the manifest that makes it count, then removes older ones.
   *
   * @returns false where the scope belongs to somebody else by now; nothing counts then
   */
  save(blocks: readonly Uint8Array[], point: StatePoint): Promise<boolean>;
}

export interface StateKeeper {
  /** Takes a scope over: whoever had it is fenced off from now on. */
  take(scope: string): Promise<StateLease>;
  /** Ends what its store holds open. */
  close(): Promise<void>;
  readonly where: string;
}

interface Manifest {
  readonly format: number;
  readonly offset: string;
  readonly rewindOffset: string;
  readonly eventUs: number;
  readonly marks: readonly (readonly [string, number])[];
  readonly devices: number;
  readonly savedMs: number;
  readonly chunks: readonly { readonly name: string; readonly sha256: string }[];
}

/*
 * Names sort by who may speak: `<epoch>-<offset>-<writer>.<kind>`. Every owner takes an epoch higher than any
 * that it sees, and says so at once by a claim; so the last owner's state counts, whatever a former one that
 * does not know yet still writes. That a former one's last state is used when the new one never stored any is
 * no harm: state is a function of the records up to its offset, whoever has worked them through.
 */
const CLAIM = 'claim';
const MANIFEST = 'manifest';
const CHUNK = 'chunk';
/** Of manifests. */
const FORMAT = 1;
/** States kept: the newest, and the one before for the case that it is damaged. */
const KEEP = 2;

interface Parsed {
  readonly name: string;
  readonly epoch: number;
  readonly writer: string;
  readonly kind: string;
  /** What the manifest and its chunks have in common. */
  readonly stem: string;
}

function parse(name: string): Parsed | undefined {
  const [, stem = '', epoch = '', writer = '', kind = ''] =
    /^((\d{10})-\d{20}-([0-9a-f]{12}))(?:-\d+)?\.(claim|manifest|chunk)$/.exec(name) ?? [];
  return kind === '' ? undefined : { name, epoch: Number(epoch), writer, kind, stem };
}

/** Keeps states in a store: takes scopes over, stores, finds the newest usable one. */
export function createStateKeeper(store: StateStore, deps: { keys: StateKeys; reporter: Reporter }): StateKeeper {
  const { keys, reporter } = deps;

  async function all(scope: string): Promise<Parsed[]> {
    const parsed = (await store.list(scope)).map(parse);
    return parsed.filter((p) => p !== undefined).sort((a, b) => (a.name < b.name ? 1 : -1));
  }

  async function readState(scope: string, name: string): Promise<FoundState> {
    const sealed = await store.read(scope, name);
    if (sealed === undefined) throw gone();
    const manifest = JSON.parse(Buffer.from(unseal(sealed, `${scope}/${name}`, keys)).toString('utf8')) as Manifest;
    if (manifest.format !== FORMAT)
      throw new WardwatchError('WW_MODEL', 'it was written by another version of Wardwatch', 'it is learned anew');
    const blocks: Uint8Array[] = [];
    for (const chunk of manifest.chunks) {
      const blob = await store.read(scope, chunk.name);
      if (blob === undefined) throw gone();
      if (sha256(blob) !== chunk.sha256)
        throw new WardwatchError('WW_MODEL', 'a part of it is damaged', 'an older one is used where there is one');
      blocks.push(unseal(blob, `${scope}/${chunk.name}`, keys));
    }
    return {
      blocks,
      offset: BigInt(manifest.offset),
      rewindOffset: BigInt(manifest.rewindOffset),
      eventUs: manifest.eventUs,
      marks: manifest.marks.map(([offset, us]) => [BigInt(offset), us] as const),
      devices: manifest.devices,
      savedMs: manifest.savedMs,
    };
  }

  async function take(scope: string): Promise<StateLease> {
    const names = await all(scope);
    const epoch = names.reduce((highest, p) => Math.max(highest, p.epoch), 0) + 1;
    const writer = randomBytes(6).toString('hex');
    const stem = (offset: bigint): string =>
      `${String(epoch).padStart(10, '0')}-${String(offset).padStart(20, '0')}-${writer}`;
    const claim = `${stem(0n)}.${CLAIM}`;
    await store.write(scope, claim, new Uint8Array(0));

    let found: FoundState | undefined;
    const refused: string[] = [];
    // Listed again after the claim: meanwhile the former owner may have stored its last word, or removed what was seen.
    for (let attempt = 0; attempt < 3 && found === undefined; attempt++) {
      const manifests = (await all(scope)).filter((p) => p.kind === MANIFEST);
      if (manifests.length === 0) break;
      refused.length = 0;
      for (const { name } of manifests) {
        try {
          found = await readState(scope, name);
          break;
        } catch (error) {
          refused.push(describeError(error));
          reporter.log('warn', 'stored state cannot be used', { scope, name, reason: describeError(error) });
        }
      }
    }
    if (refused.length > 0) reporter.count('state_refused', refused.length);

    /** Whether anybody has come later; among those who came at once, the one with the highest name. */
    const isOvertaken = (p: Parsed): boolean => p.epoch > epoch || (p.epoch === epoch && p.writer > writer);

    async function isMine(): Promise<boolean> {
      return !(await all(scope)).some(isOvertaken);
    }

    async function save(blocks: readonly Uint8Array[], point: StatePoint): Promise<boolean> {
      const began = performance.now();
      if (!(await isMine())) return false;
      const own = stem(point.offset);
      const chunks: Manifest['chunks'][number][] = [];
      let bytes = 0;
      for (const [i, block] of blocks.entries()) {
        const name = `${own}-${i}.${CHUNK}`;
        const blob = seal(block, `${scope}/${name}`, keys);
        bytes += blob.length;
        await store.write(scope, name, blob);
        chunks.push({ name, sha256: sha256(blob) });
      }
      if (!(await isMine())) {
        await store.remove(
          scope,
          chunks.map((c) => c.name),
        );
        return false;
      }
      const manifest: Manifest = {
        format: FORMAT,
        offset: point.offset.toString(),
        rewindOffset: point.rewindOffset.toString(),
        eventUs: point.eventUs,
        marks: point.marks.map(([offset, us]) => [offset.toString(), us] as const),
        devices: point.devices,
        savedMs: Date.now(),
        chunks,
      };
      const name = `${own}.${MANIFEST}`;
      await store.write(scope, name, seal(Buffer.from(JSON.stringify(manifest)), `${scope}/${name}`, keys));
      reporter.count('state_saved');
      reporter.gauge('state_bytes', bytes);
      reporter.observe('state_save', (performance.now() - began) / 1000);
      await clean();
      return true;
    }

    /** Removes what no later restore would use: never anything of a later owner. */
    async function clean(): Promise<void> {
      const now = await all(scope);
      const kept = new Set(
        now
          .filter((p) => p.kind === MANIFEST)
          .slice(0, KEEP)
          .map((p) => p.stem),
      );
      const old = now.filter((p) => p.epoch <= epoch && !kept.has(p.stem) && p.name !== claim && !isOvertaken(p));
      // A manifest goes before its chunks: what is left of a half-removed state must not look whole.
      const rank = (p: Parsed): number => (p.kind === MANIFEST ? 0 : 1);
      old.sort((a, b) => rank(a) - rank(b));
      await store.remove(
        scope,
        old.map((p) => p.name),
      );
    }

    return { found, refused, isMine, save };
  }

  return { take, where: store.where, close: async () => store.close?.() };
}

function gone(): WardwatchError {
  return new WardwatchError('WW_MODEL', 'a part of it is gone', 'an older one is used where there is one');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
