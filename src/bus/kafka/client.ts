import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { constants, gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import type { ISocketFactory, Kafka, KafkaConfig, LogEntry } from 'kafkajs';
import type { LogLevel, Reporter } from '../../kernel/component.ts';
import { describeError, WardwatchError } from '../../kernel/errors.ts';
import type { KafkaBusConfig, KafkaConnectionConfig } from './config.ts';
import { readSetting, signIn } from './sign-in.ts';

/** Most bytes that one compressed batch may grow to: a few records that claim more are not believed. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024;

/** Level 1: level 3 makes frames a twentieth smaller and takes a third more time (docs/decisions/0008). */
const zstdLevel = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const inflateLimit = { maxOutputLength: MAX_INFLATED_BYTES };

/**
 * kafkajs keeps its codecs in one table for the whole process, with gzip alone and without a limit on what
 * comes out of it. Setting the same entries again changes nothing.
 */
function setCodecs(): void {
  const [toGzip, fromGzip] = [promisify<Buffer, Buffer>(gzip), promisify(gunzip)];
  const [toZstd, fromZstd] = [promisify(zstdCompress), promisify(zstdDecompress)];
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.GZIP] = () => ({
    compress: (encoder: { buffer: Buffer }) => toGzip(encoder.buffer),
    decompress: (bytes: Buffer) => fromGzip(bytes, inflateLimit),
  });
  Object.assign(kafkajs.CompressionCodecs, {
    [kafkajs.CompressionTypes.ZSTD]: () => ({
      compress: (encoder: { buffer: Buffer }) => toZstd(encoder.buffer, zstdLevel),
      decompress: (bytes: Buffer) => fromZstd(bytes, inflateLimit),
    }),
  });
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}
const mended = new WeakSet<RequestQueue>();

/**
 * kafkajs 2.2.4 sets a timer after every answer, with minus the time of day as its delay when nothing is
 * throttled. Since version 23 Node prints a warning about that. Without waiting requests there is nothing
 * to set a timer for.
 */
function mendTimer(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  if (mended.has(prototype)) return;
  mended.add(prototype);
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) schedule.call(this);
  };
}

const LOG_EVERY_MS = 10_000;
const LOG_FIELDS = ['broker', 'groupId', 'error', 'retryCount'] as const;

/** kafkajs says the same thing again with every attempt: one line of a kind in ten seconds is enough. */
function logTo(reporter: Reporter): (entry: LogEntry) => void {
  const kinds = new Map<string, { at: number; held: number }>();
  return ({ namespace, level, log }) => {
    // A producer of ours gives up by its own clock and offers the same records again; kafkajs cannot know.
    if (log.message.startsWith('Limiting retries')) return;
    const target: LogLevel = level === kafkajs.logLevel.INFO ? 'debug' : 'warn';
    const kind = `${level} ${namespace}`;
    const last = kinds.get(kind);
    const now = Date.now();
    if (last !== undefined && now - last.at < LOG_EVERY_MS) {
      last.held++;
      return;
    }
    kinds.set(kind, { at: now, held: 0 });
    const fields: Record<string, string | number> = { part: namespace };
    if (last !== undefined && last.held > 0) fields['held_back'] = last.held;
    for (const name of LOG_FIELDS) {
      const value: unknown = log[name];
      if (typeof value === 'string' || typeof value === 'number') fields[name] = value;
    }
    reporter.log(target, `kafka: ${log.message}`, fields);
  };
}

/**
 * A kafkajs client with the settings of the configuration; nothing is connected yet.
 * @param socketFactory opens connections in place of kafkajs' own way
 * @throws WardwatchError WW_CONFIG where a key, certificate or password cannot be read
 */
export async function createClient(
  config: KafkaConnectionConfig,
  reporter: Reporter,
  socketFactory?: ISocketFactory,
): Promise<Kafka> {
  setCodecs();
  mendTimer();
  const settings: KafkaConfig = {
    brokers: config.brokers,
    clientId: config.client_id,
    connectionTimeout: 3000,
    requestTimeout: 30_000,
    // Short, because whoever needs to go on for longer does so by itself and can be stopped.
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 2 },
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => logTo(reporter),
    ...(socketFactory === undefined ? {} : { socketFactory }),
  };
  if (config.ssl !== undefined) {
    const { ca, cert, key } = config.ssl;
    settings.ssl = {
      rejectUnauthorized: config.ssl.reject_unauthorized,
      ...(ca === undefined ? {} : { ca: await readSetting(ca, 'ssl.ca') }),
      ...(cert === undefined ? {} : { cert: await readSetting(cert, 'ssl.cert') }),
      ...(key === undefined ? {} : { key: await readSetting(key, 'ssl.key') }),
    };
  }
  if (config.sasl !== undefined) {
    settings.sasl = await signIn(config.sasl);
  }
  return new kafkajs.Kafka(settings);
}

/** The error that kafkajs wrapped in its own. */
function causes(error: unknown): { name: string; type: string; code: string; message: string }[] {
  const found = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { type, code } = at as { type?: unknown; code?: unknown };
    found.push({
      name: at.name,
      type: typeof type === 'string' ? type : '',
      code: typeof code === 'string' ? code : '',
      message: at.message,
    });
  }
  return found;
}

/**
 * What kafkajs threw, as an error that a person can act on.
 * @param doing what was tried, as in "while reading"
 */
export function brokerError(error: unknown, config: KafkaBusConfig, doing: string): WardwatchError {
  if (error instanceof WardwatchError) return error;
  const all = causes(error);
  const at = config.brokers.join(', ');
  const has = (test: RegExp): boolean =>
    all.some(({ name, type, code, message }) => test.test(`${name} ${type} ${code} ${message}`));
  const make = (message: string, remedy: string): WardwatchError =>
    new WardwatchError('WW_BROKER', message, remedy, { cause: error });

  if (has(/SASL/)) {
    return make(
      `Kafka at ${at} refused the sign-in while ${doing}.`,
      'Check kafka.sasl (mechanism, username, password) against the users of the broker.',
    );
  }
  if (has(/AUTHORIZATION_FAILED/)) {
    return make(
      `Kafka at ${at} does not allow this user to do so while ${doing}.`,
      `Give the user the rights on topic ${config.topic} and group ${config.group_id}.`,
    );
  }
  if (has(/UNKNOWN_TOPIC_OR_PARTITION/)) {
    return make(`The topic ${config.topic} is missing at Kafka ${at}.`, 'Create it with `wardwatch topics create`.');
  }
  if (has(/MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/)) {
    return make(
      `Kafka at ${at} takes no records as large as those for topic ${config.topic}.`,
      'Raise max.message.bytes of the topic to 1048588 (the default of Kafka).',
    );
  }
  if (has(/certificate|self-signed|ERR_TLS|ERR_SSL|EPROTO/i)) {
    return make(
      `The TLS connection to Kafka at ${at} failed while ${doing}: ${describeError(all.at(-1)?.message ?? error)}.`,
      'Check kafka.ssl.ca against the certificate of the broker, and that the port speaks TLS.',
    );
  }
  if (
    has(/ConnectionError|ConnectionClosed|RequestTimeout|BrokerNotFound|NoBrokerAvailable|ECONN|ENOTFOUND|disconnected/)
  ) {
    const code = all.find((cause) => cause.code !== '')?.code;
    return make(
      `Kafka at ${at} cannot be reached${code === undefined ? '' : ` (${code})`} while ${doing}.`,
      'Check that the broker runs, that bus.kafka.brokers names its host and port, that a firewall lets them through, ' +
        'and that its advertised.listeners can be reached from here.',
    );
  }
  return make(`Kafka at ${at} failed while ${doing}: ${describeError(error)}.`, 'See the log of the broker.');
}
