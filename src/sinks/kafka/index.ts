import { connect as connectTcp, isIP, Socket } from 'node:net';
import type { LookupFunction } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory, Producer } from 'kafkajs';
import type { AlertSink, Delivery, Outcome } from '../../alerts/delivery.ts';
import { toJson } from '../../alerts/formats/index.ts';
import { createClient } from '../../bus/kafka/client.ts';
import type { Reporter } from '../../kernel/component.ts';
import { createAddressGuard } from '../address-guard.ts';
import type { AddressGuard } from '../address-guard.ts';
import type { KafkaSinkConfig } from './config.ts';

export interface KafkaSinkDeps {
  /** Ranges of delivery.allow, in force where the endpoint has none of its own. */
  readonly allowed: readonly string[];
  readonly reporter: Reporter;
}

const ACKNOWLEDGED_BY_ALL = -1;

/**
 * Writes alerts to a topic. A record has the uid of the alert as its key and the id of the delivery in the header
 * `delivery-id`; it counts as delivered when all replicas in sync have it.
 */
export function createKafkaSink(config: KafkaSinkConfig, deps: KafkaSinkDeps): AlertSink {
  const guard = createAddressGuard(config.allow ?? deps.allowed);
  let producer: Producer | undefined;
  let isConnected = false;
  let stopped = false;

  const disconnect = async (): Promise<void> => {
    isConnected = false;
    await producer?.disconnect().catch(() => {});
  };

  const write = async (deliveries: readonly Delivery[]): Promise<void> => {
    if (!isConnected) await producer!.connect();
    isConnected = true;
    await producer!.send({
      topic: config.topic,
      acks: ACKNOWLEDGED_BY_ALL,
      timeout: config.timeout_s * 1000,
      messages: deliveries.map(({ id, row, type }) => ({
        key: row.uid,
        value: JSON.stringify(toJson(row, config.format)),
        timestamp: String(row.time),
        headers: { 'delivery-id': id, 'delivery-type': type, 'content-type': 'application/json' },
      })),
    });
  };

  return {
    kind: 'kafka',
    batchSize: config.batch,
    // kafkajs keeps no order between requests.
    concurrency: 1,
    keepsBatches: false,

    async start() {
      const kafka = await createClient(config, deps.reporter, guardedSockets(guard));
      producer = kafka.producer({ allowAutoTopicCreation: true });
    },

    async stop() {
      stopped = true;
      await disconnect();
    },

    async send(deliveries: readonly Delivery[]) {
      const all = (outcome: Outcome): readonly Outcome[] => deliveries.map(() => outcome);
      if (producer === undefined || stopped) return all({ kind: 'retry', detail: 'stopped', away: true });
      const timer = new AbortController();
      try {
        await Promise.race([
          write(deliveries),
          sleep(config.timeout_s * 1000, undefined, { signal: timer.signal }).then(() => {
            throw new Error('no answer in time');
          }),
        ]);
        return all({ kind: 'delivered', detail: 'acknowledged' });
      } catch (error) {
        const type = kafkaType(error);
        if (type === 'MESSAGE_TOO_LARGE' && deliveries.length === 1) return all({ kind: 'refused', detail: type });
        await disconnect();
        return all({ kind: 'retry', detail: type, away: type !== 'MESSAGE_TOO_LARGE' });
      } finally {
        timer.abort();
      }
    },
  };
}

/** What went wrong by its name, from the small sets of Kafka and Node; texts may repeat what a broker said. */
function kafkaType(error: unknown): string {
  let name = 'failed';
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { type, code } = at as { type?: unknown; code?: unknown };
    for (const known of [type, code]) if (typeof known === 'string' && /^[A-Z_]{1,64}$/.test(known)) return known;
    name = at.name;
  }
  return name;
}

/** Connections to brokers, also to those that others have named, lead only where the endpoint may. */
function guardedSockets(guard: AddressGuard): ISocketFactory {
  const lookup: LookupFunction = (host, options, callback) => {
    void guard.check(host).then((checked) => {
      if (!checked.ok) callback(new Error(checked.detail), []);
      else if (options.all === true) callback(null, [{ address: checked.address, family: isIP(checked.address) }]);
      else callback(null, checked.address, isIP(checked.address));
    });
  };
  return ({ host, port, ssl, onConnect }) => {
    const refusal = isIP(host) === 0 ? undefined : guard.refusal(host);
    if (refusal !== undefined) {
      const refused = new Socket();
      process.nextTick(() => refused.destroy(new Error(`the broker has ${refusal} (delivery.allow)`)));
      return refused;
    }
    const options = { host, port, lookup, keepAlive: true, keepAliveInitialDelay: 60_000 };
    // False or null where there is none, whatever its type says.
    const tls: unknown = ssl;
    if (typeof tls !== 'object' || tls === null) return connectTcp(options, onConnect);
    return connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, ...options }, onConnect);
  };
}
