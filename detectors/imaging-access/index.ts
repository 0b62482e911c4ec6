import {
  LOW,
  MEDIUM,
  defineDetector,
  figure,
  keepEndpoint,
  keyOf,
  keyOfText,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { Anomaly, DeviceView, Endpoint, MessageView, Severity, Technique } from '../../src/detect/sdk.ts';

/** What a client asked of an archive within the minute at hand. */
interface Minute {
  startUs: number;
  queries: number;
  /** Records that came back. */
  records: number;
  /** Images whose sending was ordered (C-MOVE, C-GET). */
  images: number;
  refused: number;
  readonly titles: Set<string>;
}

interface Pair {
  readonly client: Endpoint;
  readonly archive: Endpoint;
  readonly minute: Minute;
  /** Message ids of retrievals whose size is counted. */
  readonly retrievals: Set<number>;
  /** Most in a minute while the client was learned. */
  learnedRecords: number;
  learnedQueries: number;
  learnedImages: number;
  /** The client queried or retrieved while it was learned. */
  knownReader: boolean;
  readonly nextTell: Map<string, number>;
  lastUs: number;
}

const COLLECTION: Technique = { id: 'T0802', name: 'Automated Collection', matrix: 'ics' };
const REPOSITORIES: Technique = { id: 'T1213', name: 'Data from Information Repositories', matrix: 'enterprise' };
const THEFT: Technique = { id: 'T0882', name: 'Theft of Operational Information', matrix: 'ics' };
const GUESSING: Technique = { id: 'T1110', name: 'Brute Force', matrix: 'enterprise' };
const IDENTIFICATION: Technique = { id: 'T0888', name: 'Remote System Information Discovery', matrix: 'ics' };
const DENIAL: Technique = { id: 'T0814', name: 'Denial of Service', matrix: 'ics' };

const MINUTE_US = 60e6;
const EPISODE_US = 900e6;
const MAX_PAIRS = 2048;
const MAX_TITLES = 64;
/** PS3.4: matches or sub-operations go on. */
const PENDING = new Set([0xff00, 0xff01]);

export default defineDetector({
  id: 'imaging-access',
  version: 1,
  status: 'stable',
  title: 'Unusual access to an image archive',
  summary:
    'Sweeping DICOM queries, bulk retrieval, images sent to a new destination, guessed application entity titles, unknown clients.',
  analytic: 'behavioral',
  techniques: [COLLECTION, REPOSITORIES],
  params: {
    records_60s: {
      default: 500,
      min: 10,
      max: 1_000_000,
      doc: 'Records that queries of one client bring back in 60 seconds, or four times the most while it was learned.',
    },
    images_60s: {
      default: 2000,
      min: 10,
      max: 10_000_000,
      doc: 'Images that one client orders in 60 seconds, or four times the most while it was learned.',
    },
    new_reader_records_60s: {
      default: 50,
      min: 1,
      max: 1_000_000,
      doc: 'The same for a client that never queried the archive before.',
    },
    new_reader_queries_60s: { default: 10, min: 1, max: 100_000, doc: 'Queries of such a client in 60 seconds.' },
    guessed_titles: {
      default: 4,
      min: 2,
      max: 64,
      doc: 'Different pairs of application entity titles of one client that are refused in 60 seconds.',
    },
    refused_60s: {
      default: 20,
      min: 3,
      max: 10_000,
      doc: 'Associations of one client refused or aborted in 60 seconds.',
    },
  },
  create(ctx) {
    const p = ctx.params;
    const pairs = ctx.site(() => new Map<number, Pair>());
    /** Title pair last asked for, by flow: a refusal does not repeat it. */
    const asked = ctx.site(() => new Map<number, string>());

    function pairOf(client: Endpoint, archive: Endpoint, nowUs: number): Pair {
      const key = keyOf(client.key, archive.key);
      let pair = pairs.get(key);
      if (pair === undefined) {
        if (pairs.size >= MAX_PAIRS) {
          const oldest = pairs.keys().next();
          if (!oldest.done) pairs.delete(oldest.value);
        }
        pair = {
          client: keepEndpoint(client),
          archive: keepEndpoint(archive),
          minute: { startUs: nowUs, queries: 0, records: 0, images: 0, refused: 0, titles: new Set() },
          retrievals: new Set(),
          learnedRecords: 0,
          learnedQueries: 0,
          learnedImages: 0,
          knownReader: false,
          nextTell: new Map(),
          lastUs: nowUs,
        };
        pairs.set(key, pair);
      }
      const minute = pair.minute;
      if (nowUs - minute.startUs >= MINUTE_US) {
        minute.startUs = nowUs;
        minute.queries = 0;
        minute.records = 0;
        minute.images = 0;
        minute.refused = 0;
        minute.titles.clear();
      }
      if (nowUs - pair.lastUs > EPISODE_US) pair.nextTell.clear();
      pair.lastUs = nowUs;
      if (isLearning(pair)) {
        pair.learnedRecords = Math.max(pair.learnedRecords, minute.records);
        pair.learnedQueries = Math.max(pair.learnedQueries, minute.queries);
        pair.learnedImages = Math.max(pair.learnedImages, minute.images);
      }
      return pair;
    }

    /** Learned is what either end has shown while it was learned. */
    function isLearning(pair: Pair): boolean {
      return (monitored(pair.archive) ?? monitored(pair.client))?.learning ?? true;
    }

    function tell(
      pair: Pair,
      n: number,
      what: {
        subject: string;
        severity: Severity;
        confidence: number;
        title: string;
        did: string;
        techniques: readonly Technique[];
        anomalies: readonly Anomaly[];
        patient?: string;
      },
    ): void {
      if (n < (pair.nextTell.get(what.subject) ?? 0)) return;
      pair.nextTell.set(what.subject, Math.ceil(n * 1.5));
      const device = monitored(pair.client) ?? monitored(pair.archive);
      if (device === undefined) return;
      const client = nameOfEndpoint(pair.client);
      const archive = nameOfEndpoint(pair.archive);
      ctx.finding({
        device,
        subject: `${what.subject} ${pair.archive.key}`,
        severity: what.severity,
        confidence: what.confidence,
        tsUs: ctx.nowUs(),
        firstUs: Math.min(pair.minute.startUs, ctx.nowUs()),
        title: what.title,
        sentence: `${client} ${what.did}.`,
        techniques: what.techniques,
        evidence: [{ src: pair.client, dst: pair.archive, service: 'dicom' }],
        anomalies: what.anomalies,
        patient:
          what.patient ??
          'Names, images and reports of many patients may be taken, or images may not reach who waits for them.',
        advice: [
          `Ask who uses ${client} and whether a migration, a research export or a new workstation is under way.`,
          `Let ${archive} accept only the pairs of title and address that it knows.`,
        ],
        caution: [`Do not stop ${archive}: images of patients under treatment are needed.`],
      });
    }

    function onAssociation(pair: Pair, message: MessageView): void {
      const title = `${message.text('calling_ae') ?? ''} to ${message.text('called_ae') ?? ''}`;
      const slot = message.flow?.slot ?? -1;
      asked.set(slot, title);
      const archive = monitored(pair.archive);
      if (archive === undefined) return;
      const novelty = ctx.novelty(archive, 'titles', keyOf(pair.client.key, keyOfText(title)));
      if (!novelty.isNew) return;
      tell(pair, 1, {
        subject: `titles ${title}`,
        severity: LOW,
        confidence: 55,
        title: 'New DICOM client or titles',
        did: `opened an association as ${title} with ${nameOfEndpoint(pair.archive)}, which had ${plural(novelty.known, 'pair')} of client and titles until now`,
        techniques: [IDENTIFICATION],
        anomalies: [
          {
            parameter: 'DICOM client and titles',
            expected: `${novelty.known} learned`,
            seen: title,
            learned: novelty.known,
            pattern: 'NEW',
          },
        ],
      });
    }

    function onRefusal(pair: Pair, title: string, how: string): void {
      const minute = pair.minute;
      minute.refused++;
      if (minute.titles.size < MAX_TITLES && title !== '') minute.titles.add(title);
      const archive = nameOfEndpoint(pair.archive);
      if (minute.titles.size >= p.guessed_titles) {
        tell(pair, minute.titles.size, {
          subject: 'guessing',
          severity: MEDIUM,
          confidence: 85,
          title: 'DICOM titles are being guessed',
          did: `tried ${plural(minute.titles.size, 'pair')} of application entity titles at ${archive} within a minute, all refused`,
          techniques: [GUESSING, IDENTIFICATION],
          anomalies: [
            {
              parameter: 'titles refused in 60 s',
              expected: `fewer than ${p.guessed_titles}`,
              seen: String(minute.titles.size),
              pattern: 'ABOVE LIMIT',
            },
          ],
        });
      } else if (minute.refused >= p.refused_60s) {
        tell(pair, minute.refused, {
          subject: 'refused',
          severity: LOW,
          confidence: 60,
          title: 'DICOM associations fail again and again',
          did: `had ${plural(minute.refused, 'association')} ${how} at ${archive} within a minute`,
          techniques: [DENIAL],
          anomalies: [
            {
              parameter: 'associations refused or aborted in 60 s',
              expected: `fewer than ${p.refused_60s}`,
              seen: String(minute.refused),
              pattern: 'ABOVE LIMIT',
            },
          ],
        });
      }
    }

    function judgeReading(pair: Pair): void {
      const { minute } = pair;
      if (isLearning(pair)) {
        pair.knownReader = true;
        return;
      }
      const records = pair.knownReader ? Math.max(p.records_60s, 4 * pair.learnedRecords) : p.new_reader_records_60s;
      const queries = pair.knownReader ? Math.max(60, 4 * pair.learnedQueries) : p.new_reader_queries_60s;
      const images = pair.knownReader ? Math.max(p.images_60s, 4 * pair.learnedImages) : p.new_reader_records_60s;
      const archive = nameOfEndpoint(pair.archive);
      const stranger = pair.knownReader ? '' : ', which it never queried before,';
      if (minute.records >= records || (!pair.knownReader && minute.queries >= queries)) {
        tell(pair, minute.records + minute.queries, {
          subject: 'sweep',
          severity: MEDIUM,
          confidence: pair.knownReader ? 75 : 85,
          title: 'Sweeping queries of an image archive',
          did: `sent ${plural(minute.queries, 'DICOM query', 'DICOM queries')} to ${archive}${stranger} and got ${figure(minute.records)} records within a minute`,
          techniques: [COLLECTION, REPOSITORIES],
          anomalies: [
            {
              parameter: 'records in 60 s',
              expected: `fewer than ${records} (most while learned: ${pair.learnedRecords})`,
              seen: String(minute.records),
              pattern: minute.records >= records ? 'ABOVE LIMIT' : 'RELATED',
            },
            {
              parameter: 'queries in 60 s',
              expected: `fewer than ${queries} (most while learned: ${pair.learnedQueries})`,
              seen: String(minute.queries),
              pattern: minute.queries >= queries ? 'ABOVE LIMIT' : 'RELATED',
            },
          ],
        });
      }
      if (minute.images >= images)
        tell(pair, minute.images, {
          subject: 'bulk',
          severity: MEDIUM,
          confidence: pair.knownReader ? 75 : 85,
          title: 'Bulk retrieval from an image archive',
          did: `ordered ${figure(minute.images)} images from ${archive}${stranger} within a minute`,
          techniques: [COLLECTION, REPOSITORIES, THEFT],
          anomalies: [
            {
              parameter: 'images ordered in 60 s',
              expected: `fewer than ${images} (most while learned: ${pair.learnedImages})`,
              seen: String(minute.images),
              pattern: 'ABOVE LIMIT',
            },
          ],
        });
    }

    function onMove(pair: Pair, destination: string): void {
      const owner = monitored(pair.archive) ?? monitored(pair.client);
      if (owner === undefined || destination === '') return;
      const novelty = ctx.novelty(owner, 'destinations', keyOfText(destination));
      const mover = ctx.novelty(owner, 'movers', pair.client.key);
      if (!novelty.isNew) return;
      tell(pair, 1, {
        subject: `destination ${destination}`,
        severity: mover.isNew ? MEDIUM : LOW,
        confidence: mover.isNew ? 80 : 60,
        title: 'Images are sent to a new destination',
        did: `told ${nameOfEndpoint(pair.archive)} to send images to ${destination}, a destination never used before${mover.isNew ? '; it never ordered images before, either' : ''}`,
        techniques: [COLLECTION, THEFT],
        anomalies: [
          {
            parameter: 'destinations of C-MOVE',
            expected: `${novelty.known} learned`,
            seen: destination,
            learned: novelty.known,
            pattern: 'NEW',
          },
        ],
      });
    }

    function onCommand(message: MessageView, from: Endpoint, to: Endpoint, nowUs: number): void {
      const command = message.text('command') ?? '';
      if (command === 'C-FIND-RQ') {
        const pair = pairOf(from, to, nowUs);
        pair.minute.queries++;
        judgeReading(pair);
      } else if (command === 'C-FIND-RSP') {
        if (!PENDING.has(message.number('status') ?? 0)) return;
        const pair = pairOf(to, from, nowUs);
        pair.minute.records++;
        judgeReading(pair);
      } else if (command === 'C-MOVE-RQ' || command === 'C-GET-RQ') {
        const pair = pairOf(from, to, nowUs);
        pair.retrievals.delete(message.number('message_id') ?? -1);
        if (command === 'C-MOVE-RQ') onMove(pair, message.text('move_destination') ?? '');
      } else if (command === 'C-MOVE-RSP' || command === 'C-GET-RSP') {
        const pair = pairOf(to, from, nowUs);
        const id = message.number('message_id') ?? -1;
        if (pair.retrievals.has(id)) return;
        const images =
          (message.number('remaining') ?? 0) + (message.number('completed') ?? 0) + (message.number('failed') ?? 0);
        if (images === 0) return;
        if (pair.retrievals.size >= 256) pair.retrievals.clear();
        pair.retrievals.add(id);
        pair.minute.images += images;
        judgeReading(pair);
      }
    }

    return {
      messageKinds: ['dicom.association', 'dicom.reject', 'dicom.abort', 'dicom.command'],
      onMessage(message): void {
        const { speaker, listener, flow } = message;
        if (listener === undefined || flow === undefined) return;
        const nowUs = ctx.nowUs();
        switch (message.kind) {
          case 'dicom.association':
            onAssociation(pairOf(speaker, listener, nowUs), message);
            break;
          case 'dicom.reject':
            onRefusal(pairOf(listener, speaker, nowUs), asked.get(flow.slot) ?? '', 'refused');
            break;
          case 'dicom.abort': {
            // Whoever aborts: it is the originator's association that fails.
            const pair = pairOf(flow.orig, flow.resp, nowUs);
            if (!isLearning(pair)) onRefusal(pair, '', 'refused or aborted');
            break;
          }
          default:
            onCommand(message, speaker, listener, nowUs);
        }
      },
      onFlowEnd(flow): void {
        asked.delete(flow.slot);
      },
    };
  },
});

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}
