import {
  LOW,
  MEDIUM,
  defineDetector,
  keepEndpoint,
  keyOf,
  keyOfText,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, MessageView, Technique } from '../../src/detect/sdk.ts';

/** What one sender does at one receiver. */
interface Pair {
  readonly sender: Endpoint;
  readonly receiver: Endpoint;
  /** Times of deletions, cancellations and merges, and of refusals and acceptances. */
  readonly changes: number[];
  readonly kinds: Set<string>;
  readonly refused: number[];
  readonly accepted: number[];
  learnedChanges: number;
  learnedRefused: number;
  /** The sender had sent something to this receiver while it was learned. */
  known: boolean;
  nextChanges: number;
  nextRefused: number;
  lastUs: number;
}

const MANIPULATION: Technique = { id: 'T1565.001', name: 'Stored Data Manipulation', matrix: 'enterprise' };
const DESTRUCTION: Technique = { id: 'T0809', name: 'Data Destruction', matrix: 'ics' };
const BLOCKED: Technique = { id: 'T0804', name: 'Block Reporting Message', matrix: 'ics' };

const WINDOW_US = 60e6;
const EPISODE_US = 900e6;
const MAX_PAIRS = 2048;
const MAX_TIMES = 1024;

/** Trigger events of HL7 v2 (chapters 3, 9, 10) that delete, cancel, merge or move what is recorded of a patient. */
const DESTRUCTIVE: ReadonlyMap<string, string> = new Map([
  ...(['A23', 'A29'] as const).map((t) => [`ADT ${t}`, 'deletion'] as const),
  ...(
    ['A11', 'A12', 'A13', 'A25', 'A26', 'A27', 'A32', 'A33', 'A38', 'A52', 'A53', 'A55', 'A61', 'A62', 'A64'] as const
  ).map((t) => [`ADT ${t}`, 'cancellation'] as const),
  ...(
    [
      'A18',
      'A24',
      'A30',
      'A34',
      'A35',
      'A36',
      'A37',
      'A39',
      'A40',
      'A41',
      'A42',
      'A43',
      'A44',
      'A45',
      'A47',
      'A50',
      'A51',
    ] as const
  ).map((t) => [`ADT ${t}`, 'merge'] as const),
  ['MDM T11', 'cancellation'],
  ['SIU S15', 'cancellation'],
  ['SIU S16', 'cancellation'],
  ['SIU S17', 'deletion'],
]);

export default defineDetector({
  id: 'records-tampering',
  version: 1,
  status: 'stable',
  title: 'Patient records deleted or merged in bulk',
  summary:
    'HL7 messages that delete, cancel or merge records come in a burst or from a sender that never did so; bursts of refusals.',
  analytic: 'behavioral',
  techniques: [MANIPULATION, DESTRUCTION],
  params: {
    changes_60s: {
      default: 15,
      min: 2,
      max: 10_000,
      doc: 'Deletions, cancellations and merges of one sender in 60 seconds, or three times the most while it was learned.',
    },
    refused_60s: {
      default: 15,
      min: 2,
      max: 10_000,
      doc: 'Messages of one sender that its receiver refuses in 60 seconds, if that is most of them, or three times the most learned.',
    },
  },
  create(ctx) {
    const { changes_60s, refused_60s } = ctx.params;
    const pairs = ctx.site(() => new Map<number, Pair>());

    function pairOf(sender: Endpoint, receiver: Endpoint, nowUs: number): Pair {
      const key = keyOf(sender.key, receiver.key);
      let pair = pairs.get(key);
      if (pair === undefined) {
        if (pairs.size >= MAX_PAIRS) {
          const oldest = pairs.keys().next();
          if (!oldest.done) pairs.delete(oldest.value);
        }
        pair = {
          sender: keepEndpoint(sender),
          receiver: keepEndpoint(receiver),
          changes: [],
          kinds: new Set(),
          refused: [],
          accepted: [],
          learnedChanges: 0,
          learnedRefused: 0,
          known: false,
          nextChanges: 0,
          nextRefused: 0,
          lastUs: nowUs,
        };
        pairs.set(key, pair);
      }
      if (nowUs - pair.lastUs > EPISODE_US) {
        pair.nextChanges = 0;
        pair.nextRefused = 0;
        pair.kinds.clear();
      }
      pair.lastUs = nowUs;
      return pair;
    }

    function isLearning(pair: Pair): boolean {
      return (monitored(pair.receiver) ?? monitored(pair.sender))?.learning ?? true;
    }

    function onSent(pair: Pair, message: MessageView, nowUs: number): void {
      const learning = isLearning(pair);
      if (learning) pair.known = true;
      const event = `${message.text('message_type') ?? ''} ${message.text('trigger') ?? ''}`;
      const kind = DESTRUCTIVE.get(event);
      if (kind === undefined) return;
      note(pair.changes, nowUs);
      if (pair.kinds.size < 8) pair.kinds.add(event.replace(' ', '^'));
      const n = pair.changes.length;
      const owner = monitored(pair.receiver) ?? monitored(pair.sender);
      if (owner === undefined) return;
      const novelty = ctx.novelty(owner, 'changes', keyOf(pair.sender.key, keyOfText(kind)));
      const limit = Math.max(changes_60s, 3 * pair.learnedChanges);
      if (learning) pair.learnedChanges = Math.max(pair.learnedChanges, n);
      const burst = !learning && n >= limit;
      const stranger = !learning && !pair.known;
      if (!burst && !stranger && !novelty.isNew) return;
      if (n < pair.nextChanges) return;
      pair.nextChanges = stranger && n < 10 ? n + 1 : Math.ceil(n * 1.5);
      const device = monitored(pair.sender) ?? owner;
      const sender = nameOfEndpoint(pair.sender);
      const receiver = nameOfEndpoint(pair.receiver);
      const why = stranger
        ? `; it never sent HL7 to ${receiver} before`
        : burst
          ? ''
          : `; it never sent a ${kind} before`;
      ctx.finding({
        device,
        subject: `changes ${pair.receiver.key}`,
        severity: burst || stranger ? MEDIUM : LOW,
        confidence: burst ? 75 : stranger ? 85 : 55,
        tsUs: nowUs,
        firstUs: pair.changes[0] ?? nowUs,
        title: burst ? 'Patient records deleted or merged in bulk' : 'Records changed by an unusual sender',
        sentence: `${sender} sent ${plural(n, 'message')} that delete, cancel or merge records (${[...pair.kinds].join(', ')}) to ${receiver} within a minute${why}.`,
        evidence: [{ src: pair.sender, dst: pair.receiver, service: 'hl7' }],
        anomalies: [
          {
            parameter: 'deletions, cancellations and merges in 60 s',
            expected: stranger ? '0' : `fewer than ${limit} (most while learned: ${pair.learnedChanges})`,
            seen: String(n),
            pattern: burst ? 'ABOVE LIMIT' : 'NEW',
          },
        ],
        patient:
          'A record that is deleted or merged with that of somebody else can lead to the treatment of the wrong patient.',
        advice: [
          `Ask the owner of ${sender} whether records are being cleaned up.`,
          `If not, hold the queue of ${receiver}, save what came, and compare the records concerned with the registration system.`,
        ],
        caution: ['Do not undo merges one by one before the whole list is known: every step changes the record again.'],
      });
    }

    function onAck(pair: Pair, code: string, nowUs: number): void {
      const refused = code === 'AE' || code === 'AR' || code === 'CE' || code === 'CR';
      note(refused ? pair.refused : pair.accepted, nowUs);
      if (!refused) return;
      trim(pair.accepted, nowUs);
      const n = pair.refused.length;
      if (isLearning(pair)) {
        pair.learnedRefused = Math.max(pair.learnedRefused, n);
        return;
      }
      const limit = Math.max(refused_60s, 3 * pair.learnedRefused);
      if (n < limit || n < pair.accepted.length || n < pair.nextRefused) return;
      pair.nextRefused = Math.ceil(n * 2);
      const device = monitored(pair.sender) ?? monitored(pair.receiver);
      if (device === undefined) return;
      const sender = nameOfEndpoint(pair.sender);
      const receiver = nameOfEndpoint(pair.receiver);
      ctx.finding({
        device,
        subject: `refused ${pair.receiver.key}`,
        severity: LOW,
        confidence: 65,
        tsUs: nowUs,
        firstUs: pair.refused[0] ?? nowUs,
        title: 'HL7 messages are refused',
        sentence: `${receiver} refused ${n} of ${n + pair.accepted.length} HL7 messages of ${sender} within a minute.`,
        techniques: [BLOCKED],
        evidence: [{ src: pair.sender, dst: pair.receiver, service: 'hl7' }],
        anomalies: [
          {
            parameter: 'HL7 messages refused in 60 s',
            expected: `fewer than ${limit} (most while learned: ${pair.learnedRefused})`,
            seen: String(n),
            pattern: 'ABOVE LIMIT',
          },
        ],
        patient: 'Results that are refused do not reach the record.',
        advice: [
          `Look at the error queue of ${receiver}: a changed interface, a full disk, or messages made to break it?`,
          `Until it is clear, read the results at ${sender} itself.`,
        ],
      });
    }

    return {
      messageKinds: ['hl7.message', 'hl7.ack'],
      onMessage(message): void {
        const { speaker, listener } = message;
        if (listener === undefined || listener.isMulticast) return;
        const nowUs = ctx.nowUs();
        if (message.kind === 'hl7.message') onSent(pairOf(speaker, listener, nowUs), message, nowUs);
        else onAck(pairOf(listener, speaker, nowUs), message.text('code') ?? '', nowUs);
      },
    };
  },
});

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}

function note(times: number[], nowUs: number): void {
  if (times.length >= MAX_TIMES) times.shift();
  times.push(nowUs);
  trim(times, nowUs);
}

function trim(times: number[], nowUs: number): void {
  while (times.length > 0 && times[0]! < nowUs - WINDOW_US) times.shift();
}
