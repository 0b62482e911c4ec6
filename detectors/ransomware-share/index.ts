import {
  HIGH,
  LOW,
  MEDIUM,
  defineDetector,
  figure,
  keepEndpoint,
  keyOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, MessageView, Severity } from '../../src/detect/sdk.ts';

/** What a client did to one file of a share within the window. */
interface File {
  extension: number;
  /** The client made it: what it then does to it destroys nothing. */
  readonly own: boolean;
  readBytes: number;
  writtenBytes: number;
  truncated: boolean;
  renamed: boolean;
  deleted: boolean;
  /** Already counted as. */
  counted: 'no' | 'rewritten' | 'destroyed';
  tsUs: number;
}

/** Requests whose answers are awaited, in the order in which they were sent. */
interface Conversation {
  readonly creates: File[];
  readonly reads: File[];
  /** Of encrypted messages: bytes since the direction last changed. */
  down: number;
  up: number;
}

/** One client at one server. */
interface Pair {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly files: Map<number, File>;
  readonly handles: Map<number, File>;
  /** Times at which a file was destroyed: overwritten and renamed, or replaced by another and deleted. */
  readonly destroyed: number[];
  /** Times at which a file was read and written over in place. */
  readonly rewritten: number[];
  readonly deletions: number[];
  /** New files of a kind (extension) that was not there before, by extension. */
  readonly replacements: Map<number, number>;
  readonly oldKinds: Set<number>;
  /** Encrypted: pairs of a download and an upload of nearly the same size. */
  readonly returns: { readonly tsUs: number; readonly size: number }[];
  readBytes: number;
  writtenBytes: number;
  renames: number;
  newExtensions: number;
  /** Most in a minute while the client was learning. */
  learnedRewrites: number;
  learnedDeletions: number;
  nextTell: number;
  firstUs: number;
  lastUs: number;
}

const WINDOW_US = 60e6;
const EPISODE_US = 600e6;
const MAX_PAIRS = 512;
const MAX_FILES = 1024;
const MAX_WAITING = 64;
/** Shorter encrypted messages are talk about files, not their content. */
const BULK_BYTES = 700;

export default defineDetector({
  id: 'ransomware-share',
  version: 1,
  status: 'stable',
  title: 'Files on a share are being destroyed',
  summary: 'One client reads, overwrites and renames or replaces file after file on a share, as ransomware does.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T1486', name: 'Data Encrypted for Impact', matrix: 'enterprise' },
    { id: 'T0809', name: 'Data Destruction', matrix: 'ics' },
  ],
  params: {
    files: {
      default: 5,
      min: 3,
      max: 1000,
      doc: 'Files that one client overwrites and renames to another extension, or replaces and deletes, in 60 seconds.',
    },
    rewritten_files: {
      default: 15,
      min: 5,
      max: 1000,
      doc: 'Files that one client reads and writes over under their own names in 60 seconds.',
    },
    deleted_files: {
      default: 100,
      min: 10,
      max: 10_000,
      doc: 'Files that one client deletes in 60 seconds (low severity).',
    },
    encrypted_returns: {
      default: 20,
      min: 8,
      max: 1000,
      doc: 'Encrypted SMB: downloads in 60 seconds that are each followed by an upload of nearly the same size.',
    },
  },
  create(ctx) {
    const { files: limit, rewritten_files, deleted_files, encrypted_returns } = ctx.params;
    const pairs = ctx.site(() => new Map<number, Pair>());
    const conversations = ctx.site(() => new Map<number, Conversation>());

    function pairOf(client: Endpoint, server: Endpoint, nowUs: number): Pair {
      const key = keyOf(client.key, server.key);
      let pair = pairs.get(key);
      if (pair === undefined) {
        if (pairs.size >= MAX_PAIRS) forgetOldest(pairs);
        pair = {
          client: keepEndpoint(client),
          server: keepEndpoint(server),
          files: new Map(),
          handles: new Map(),
          destroyed: [],
          rewritten: [],
          deletions: [],
          replacements: new Map(),
          oldKinds: new Set(),
          returns: [],
          readBytes: 0,
          writtenBytes: 0,
          renames: 0,
          newExtensions: 0,
          learnedRewrites: 0,
          learnedDeletions: 0,
          nextTell: 0,
          firstUs: nowUs,
          lastUs: nowUs,
        };
        pairs.set(key, pair);
      } else if (nowUs - pair.lastUs > WINDOW_US) restart(pair, nowUs);
      pair.lastUs = nowUs;
      return pair;
    }

    function conversationOf(slot: number): Conversation {
      let conversation = conversations.get(slot);
      if (conversation === undefined) {
        conversation = { creates: [], reads: [], down: 0, up: 0 };
        conversations.set(slot, conversation);
      }
      return conversation;
    }

    function fileOf(pair: Pair, name: number, extension: number, own: boolean, nowUs: number): File {
      let file = pair.files.get(name);
      if (file === undefined || nowUs - file.tsUs > WINDOW_US) {
        pair.files.delete(name);
        if (pair.files.size >= MAX_FILES) forgetOldest(pair.files);
        file = {
          extension,
          own,
          readBytes: 0,
          writtenBytes: 0,
          truncated: false,
          renamed: false,
          deleted: false,
          counted: 'no',
          tsUs: nowUs,
        };
        pair.files.set(name, file);
      }
      return file;
    }

    function onRequest(pair: Pair, conversation: Conversation, message: MessageView, nowUs: number): void {
      const command = message.text('command');
      const action = message.text('action');
      const name = message.number('file');
      const extension = message.number('extension') ?? 0;
      const handle = message.number('handle');
      const held = handle === undefined ? undefined : pair.handles.get(handle);
      if (command === 'create' || command === 'open') {
        const file =
          name === undefined
            ? undefined
            : fileOf(pair, name, extension, action === 'create' || action === 'overwrite', nowUs);
        if (file !== undefined && (action === 'overwrite' || action === 'truncate') && !file.own) file.truncated = true;
        if (file !== undefined && action === 'delete') remove(pair, file, nowUs);
        // A place in the queue even for what cannot be followed, so that answers stay with their requests.
        if (conversation.creates.length < MAX_WAITING) conversation.creates.push(file ?? nothing);
        return;
      }
      if (command === 'read') {
        if (conversation.reads.length < MAX_WAITING) conversation.reads.push(held ?? nothing);
        return;
      }
      if (command === 'write' && held !== undefined) {
        const bytes = message.number('bytes') ?? 0;
        held.writtenBytes += bytes;
        pair.writtenBytes += bytes;
        if (held.own && held.extension !== 0) noteReplacement(pair, held);
        judgeFile(pair, held, nowUs);
        return;
      }
      if (action === 'rename') {
        const file = held ?? (name === undefined ? undefined : fileOf(pair, name, 0, false, nowUs));
        if (file === undefined) return;
        pair.renames++;
        if (extension !== file.extension) {
          pair.newExtensions++;
          file.renamed = true;
        }
        if (name !== undefined) {
          if (pair.files.size >= MAX_FILES) forgetOldest(pair.files);
          pair.files.set(name, file);
        }
        judgeFile(pair, file, nowUs);
        return;
      }
      if (action === 'delete' && held !== undefined) remove(pair, held, nowUs);
      else if (action === 'truncate' && held !== undefined && !held.own) held.truncated = true;
    }

    function onResponse(pair: Pair, conversation: Conversation, message: MessageView, nowUs: number): void {
      const command = message.text('command');
      const status = message.number('status') ?? 0;
      // Pending: the real answer comes later.
      if (status === 0x103) return;
      if (command === 'create' || command === 'open') {
        const file = conversation.creates.shift();
        const handle = message.number('handle');
        if (file === undefined || file === nothing || handle === undefined || status !== 0) return;
        if (pair.handles.size >= MAX_FILES) forgetOldest(pair.handles);
        pair.handles.set(handle, file);
      } else if (command === 'read') {
        const file = conversation.reads.shift();
        if (file === undefined || file === nothing || status !== 0) return;
        const bytes = message.number('bytes') ?? 0;
        file.readBytes += bytes;
        pair.readBytes += bytes;
        if (!file.own && file.extension !== 0 && pair.oldKinds.size < 256) pair.oldKinds.add(file.extension);
        judgeFile(pair, file, nowUs);
      }
    }

    function remove(pair: Pair, file: File, nowUs: number): void {
      if (file.deleted || file.own) return;
      file.deleted = true;
      add(pair.deletions, nowUs);
      judgeFile(pair, file, nowUs);
    }

    function noteReplacement(pair: Pair, file: File): void {
      if (file.counted !== 'no' || pair.oldKinds.has(file.extension)) return;
      file.counted = 'rewritten';
      if (pair.replacements.size < 64 || pair.replacements.has(file.extension))
        pair.replacements.set(file.extension, (pair.replacements.get(file.extension) ?? 0) + 1);
    }

    function judgeFile(pair: Pair, file: File, nowUs: number): void {
      if (file.own) return;
      const overwritten = file.writtenBytes > 0 || file.truncated;
      const replaced = file.deleted && file.readBytes > 0 && dominant(pair.replacements) > pair.destroyed.length;
      if (file.counted !== 'destroyed' && ((overwritten && file.renamed) || replaced)) {
        // One file counts once: what was written over first and renamed then is destroyed.
        if (file.counted === 'rewritten') pair.rewritten.pop();
        file.counted = 'destroyed';
        add(pair.destroyed, nowUs);
      } else if (
        file.counted === 'no' &&
        overwritten &&
        file.readBytes > 0 &&
        file.writtenBytes >= file.readBytes / 2
      ) {
        file.counted = 'rewritten';
        add(pair.rewritten, nowUs);
      }
      judge(pair, nowUs);
    }

    function judge(pair: Pair, nowUs: number): void {
      trim(pair.destroyed, nowUs);
      trim(pair.rewritten, nowUs);
      trim(pair.deletions, nowUs);
      const learning = pair.client.device?.learning ?? false;
      const changed = pair.destroyed.length + pair.rewritten.length;
      const inPlace = Math.max(rewritten_files, 2 * pair.learnedRewrites);
      if (pair.destroyed.length >= limit || (pair.rewritten.length >= inPlace && changed >= inPlace)) {
        tell(pair, nowUs);
        return;
      }
      if (learning) {
        pair.learnedRewrites = Math.max(pair.learnedRewrites, pair.rewritten.length);
        pair.learnedDeletions = Math.max(pair.learnedDeletions, pair.deletions.length);
      } else if (pair.deletions.length >= Math.max(deleted_files, 2 * pair.learnedDeletions))
        tellDeletions(pair, nowUs);
    }

    function due(pair: Pair, n: number): boolean {
      if (n < pair.nextTell) return false;
      pair.nextTell = Math.ceil(n * 1.5);
      return true;
    }

    function tell(pair: Pair, nowUs: number): void {
      const n = pair.destroyed.length + pair.rewritten.length;
      if (!due(pair, n)) return;
      const inPlace = Math.max(rewritten_files, 2 * pair.learnedRewrites);
      const first = Math.min(pair.destroyed[0] ?? nowUs, pair.rewritten[0] ?? nowUs);
      const ratio = pair.readBytes > 0 ? pair.writtenBytes / pair.readBytes : 0;
      const renamed = pair.newExtensions > 0 ? `, ${pair.newExtensions} of them renamed to another extension` : '';
      raise(pair, nowUs, first, {
        subject: `files ${pair.server.key}`,
        severity: pair.destroyed.length >= 4 * limit || pair.rewritten.length >= 2 * inPlace ? HIGH : MEDIUM,
        confidence: Math.min(98, 80 + n),
        title: 'Files on a share are being destroyed',
        did: `overwrote ${plural(n, 'file')} that it had not made itself on ${nameOfEndpoint(pair.server)} within ${secondsText(nowUs - first)}${renamed}; ${figure(pair.readBytes)} bytes read, ${figure(pair.writtenBytes)} written`,
        anomalies: [
          {
            parameter: 'files overwritten and renamed or replaced in 60 s',
            expected: `fewer than ${limit}`,
            seen: String(pair.destroyed.length),
            pattern: 'ABOVE LIMIT',
          },
          {
            parameter: 'files written over in place in 60 s',
            expected: `fewer than ${inPlace}`,
            seen: String(pair.rewritten.length),
            pattern: pair.rewritten.length >= rewritten_files ? 'ABOVE LIMIT' : 'RELATED',
          },
          { parameter: 'written per byte read', expected: '', seen: figure(ratio), pattern: 'RELATED' },
        ],
      });
    }

    function tellDeletions(pair: Pair, nowUs: number): void {
      const n = pair.deletions.length;
      if (!due(pair, n)) return;
      raise(pair, nowUs, pair.deletions[0] ?? nowUs, {
        subject: `deletions ${pair.server.key}`,
        severity: LOW,
        confidence: 55,
        title: 'Many files deleted on a share',
        did: `deleted ${plural(n, 'file')} on ${nameOfEndpoint(pair.server)} within ${secondsText(nowUs - (pair.deletions[0] ?? nowUs))}`,
        anomalies: [
          {
            parameter: 'files deleted in 60 s',
            expected: `fewer than ${Math.max(deleted_files, 2 * pair.learnedDeletions)}`,
            seen: String(n),
            learned: pair.learnedDeletions,
            pattern: 'ABOVE LIMIT',
          },
        ],
      });
    }

    function onEncrypted(pair: Pair, conversation: Conversation, message: MessageView, nowUs: number): void {
      const bytes = message.number('bytes') ?? 0;
      if (bytes < BULK_BYTES) return;
      if (message.number('is_request') === 1) {
        conversation.up += bytes;
        pair.writtenBytes += bytes;
        return;
      }
      pair.readBytes += bytes;
      // A download begins after an upload: the pair before it is whole.
      if (conversation.up > 0) {
        const { down, up } = conversation;
        const small = Math.min(down, up);
        if (small >= 0.8 * Math.max(down, up)) {
          if (pair.returns.length >= MAX_FILES) pair.returns.shift();
          pair.returns.push({ tsUs: nowUs, size: Math.round(up / 64) });
          while (pair.returns.length > 0 && pair.returns[0]!.tsUs < nowUs - WINDOW_US) pair.returns.shift();
          judgeEncrypted(pair, nowUs);
        }
        conversation.down = 0;
        conversation.up = 0;
      }
      conversation.down += bytes;
    }

    function judgeEncrypted(pair: Pair, nowUs: number): void {
      const n = pair.returns.length;
      if (n < Math.max(encrypted_returns, 2 * pair.learnedRewrites)) {
        if (pair.client.device?.learning === true) pair.learnedRewrites = Math.max(pair.learnedRewrites, n);
        return;
      }
      // A copy made through the client moves pieces of one size; files differ in theirs.
      const sizes = new Set(pair.returns.map((r) => r.size)).size;
      if (sizes < n / 2 || !due(pair, n)) return;
      const first = pair.returns[0]!.tsUs;
      raise(pair, nowUs, first, {
        subject: `files ${pair.server.key}`,
        severity: MEDIUM,
        confidence: 70,
        title: 'Files on a share are read and written back (encrypted SMB)',
        did: `fetched ${plural(n, 'file')} from ${nameOfEndpoint(pair.server)} within ${secondsText(nowUs - first)} and wrote each back at nearly the same size; ${figure(pair.readBytes)} bytes came, ${figure(pair.writtenBytes)} went`,
        anomalies: [
          {
            parameter: 'downloads answered by an upload of the same size in 60 s',
            expected: `fewer than ${Math.max(encrypted_returns, 2 * pair.learnedRewrites)}`,
            seen: `${n} (${sizes} different sizes)`,
            learned: pair.learnedRewrites,
            pattern: 'ABOVE LIMIT',
          },
        ],
      });
    }

    function raise(
      pair: Pair,
      nowUs: number,
      firstUs: number,
      what: {
        subject: string;
        severity: Severity;
        confidence: number;
        title: string;
        did: string;
        anomalies: { parameter: string; expected: string; seen: string; learned?: number; pattern: string }[];
      },
    ): void {
      const device = monitored(pair.client) ?? monitored(pair.server);
      if (device === undefined) return;
      const client = nameOfEndpoint(pair.client);
      const server = nameOfEndpoint(pair.server);
      ctx.finding({
        device,
        subject: what.subject,
        severity: what.severity,
        confidence: what.confidence,
        tsUs: nowUs,
        firstUs,
        title: what.title,
        sentence: `${client} ${what.did}.`,
        evidence: [{ src: pair.client, dst: pair.server, service: 'smb' }],
        anomalies: what.anomalies,
        patient:
          'Lost images, results and orders delay treatment; ransomware that starts on a share soon reaches the devices.',
        advice: [
          `Disconnect ${client} from the network now, unless a patient depends on it; leave it switched on for the investigation.`,
          `Make the shares of ${server} read-only until it is clear what was hit, and secure the latest backup.`,
          'Look for the same behaviour at other clients of the server.',
        ],
        caution: [
          `Do not restart or shut down ${server}: clinical systems may depend on it, and traces would be lost.`,
        ],
      });
    }

    return {
      messageKinds: ['smb.command'],
      onMessage(message): void {
        const flow = message.flow;
        if (flow === undefined) return;
        const isRequest = message.number('is_request') === 1;
        const client = isRequest ? message.speaker : message.listener;
        const server = isRequest ? message.listener : message.speaker;
        if (client === undefined || server === undefined) return;
        const nowUs = ctx.nowUs();
        const pair = pairOf(client, server, nowUs);
        const conversation = conversationOf(flow.slot);
        if (message.text('command') === 'encrypted') onEncrypted(pair, conversation, message, nowUs);
        else if (isRequest) onRequest(pair, conversation, message, nowUs);
        else onResponse(pair, conversation, message, nowUs);
      },
      onFlowEnd(flow): void {
        conversations.delete(flow.slot);
      },
    };

    function restart(pair: Pair, nowUs: number): void {
      pair.files.clear();
      pair.handles.clear();
      pair.destroyed.length = 0;
      pair.rewritten.length = 0;
      pair.deletions.length = 0;
      pair.replacements.clear();
      pair.oldKinds.clear();
      pair.returns.length = 0;
      pair.readBytes = 0;
      pair.writtenBytes = 0;
      pair.renames = 0;
      pair.newExtensions = 0;
      if (nowUs - pair.lastUs > EPISODE_US) pair.nextTell = 0;
    }
  },
});

/** Stands in the queues for requests about something that is not followed. */
const nothing: File = {
  extension: 0,
  own: true,
  readBytes: 0,
  writtenBytes: 0,
  truncated: false,
  renamed: false,
  deleted: false,
  counted: 'no',
  tsUs: 0,
};

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}

function add(times: number[], nowUs: number): void {
  if (times.length >= MAX_FILES) times.shift();
  times.push(nowUs);
}

function trim(times: number[], nowUs: number): void {
  while (times.length > 0 && times[0]! < nowUs - WINDOW_US) times.shift();
}

function dominant(counts: Map<number, number>): number {
  let most = 0;
  for (const n of counts.values()) most = Math.max(most, n);
  return most;
}

function forgetOldest(map: Map<number, unknown>): void {
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}

function secondsText(us: number): string {
  return us < 1e6 ? `${Math.max(1, Math.round(us / 1e3))} ms` : `${figure(us / 1e6)} s`;
}
