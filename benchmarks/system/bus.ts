/**
 * How fast frames go through the buses, beside a bare kafkajs loop that moves the same number of bytes in
 * records of the same size. Starts the test broker, or uses the one of KAFKA_BROKERS.
 *
 *   node benchmarks/system/bus.ts [megabytes of frames, 256] [bytes of a frame, 500]
 */
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { Value } from 'typebox/value';
import type { BusPositions, FrameBus } from '../../src/bus/bus.ts';
import { createKafkaBus, ensureTopic, kafkaBusConfigSchema } from '../../src/bus/kafka/index.ts';
import { createMemoryBus, memoryBusConfigSchema } from '../../src/bus/memory/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { createFrameBatch, type FrameBatch } from '../../src/kernel/frames.ts';
import { startBroker } from '../../tests/support/kafka/broker.ts';

const MB = 1_000_000;
const ROUNDS = 3;
const RECORD_BYTES = 262_144;
const RECORDS_PER_REQUEST = 3;

const megabytes = Number(process.argv[2] ?? 256);
const frameBytes = Number(process.argv[3] ?? 500);
const deps = { reporter: silentReporter };

/** 1 MB of frames, as a file reader gives them. */
function makeBatch(): FrameBatch {
  const count = Math.floor(MB / frameBytes);
  const batch = createFrameBatch(count, new Uint8Array(count * (frameBytes + 16)));
  for (let i = 0; i < batch.bytes.length; i++) batch.bytes[i] = (i * 2_654_435_761) >>> 13;
  for (let i = 0; i < count; i++) {
    batch.offset[i] = i * (frameBytes + 16) + 16;
    batch.capLen[i] = frameBytes;
    batch.wireLen[i] = frameBytes;
    batch.tsUs[i] = 1_700_000_000_000_000 + i;
    batch.linkType[i] = 1;
  }
  batch.count = count;
  return batch;
}

async function publish(bus: FrameBus, batch: FrameBatch): Promise<BusPositions> {
  const publisher = bus.publisher();
  await publisher.start();
  for (let n = 0; n < megabytes; n++) await publisher.publish(batch);
  const positions = await publisher.end();
  await publisher.stop();
  return positions;
}

/** Bytes of frames that came out, with one read of each so that none is only promised. */
async function read(bus: FrameBus, until: BusPositions | Promise<BusPositions>): Promise<number> {
  const subscription = bus.subscribe({ until });
  let bytes = 0;
  let touched = 0;
  for await (const { batch } of subscription) {
    for (let i = 0; i < batch.count; i++) {
      bytes += batch.capLen[i]!;
      touched ^= batch.bytes[batch.offset[i]!]!;
    }
  }
  await subscription.stop();
  if (touched > 255) throw new Error('not a byte');
  return bytes;
}

const results = new Map<string, number[]>();
async function measure(name: string, run: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  results.set(name, [...(results.get(name) ?? []), megabytes / seconds]);
}

async function kafkaRound(brokers: string[], batch: FrameBatch): Promise<void> {
  const id = randomUUID();
  const config = { ...Value.Create(kafkaBusConfigSchema), brokers, topic: `bench-${id}`, group_id: id, partitions: 1 };
  const settings = { partitions: 1, retentionMs: 3_600_000, replicationFactor: 1 };
  await ensureTopic(config, settings, deps);
  const bare = { ...config, topic: `bare-${id}` };
  await ensureTopic(bare, settings, deps);

  const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({
    idempotent: true,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const value = Buffer.from(batch.bytes.subarray(0, RECORD_BYTES));
  const messages = Array.from({ length: RECORDS_PER_REQUEST }, () => ({ key: null, value, partition: 0 }));
  const requests = Math.ceil((megabytes * MB) / (RECORD_BYTES * RECORDS_PER_REQUEST));
  await measure('kafkajs alone, in', async () => {
    for (let n = 0; n < requests; n++) await producer.send({ topic: bare.topic, messages });
  });
  await producer.disconnect();

  const consumer = kafka.consumer({ groupId: `bare-${id}`, maxBytesPerPartition: 4_194_304, maxWaitTimeInMs: 250 });
  await consumer.connect();
  await consumer.subscribe({ topics: [bare.topic], fromBeginning: true });
  await measure('kafkajs alone, out (with joining the group)', async () => {
    let left = requests * RECORDS_PER_REQUEST;
    await new Promise<void>((resolve, reject) => {
      const eachBatch = async (payload: { batch: { messages: unknown[] } }): Promise<void> => {
        left -= payload.batch.messages.length;
        if (left <= 0) resolve();
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    });
  });
  await consumer.disconnect();

  const bus = createKafkaBus(config, deps);
  let until: BusPositions = new Map();
  await measure('bus/kafka, in', async () => {
    until = await publish(bus, batch);
  });
  let bytes = 0;
  await measure('bus/kafka, out (with joining the group)', async () => {
    bytes = await read(bus, until);
  });
  await bus.stop();
  if (bytes !== megabytes * batch.count * frameBytes) throw new Error(`${bytes} bytes came out`);
}

const batch = makeBatch();
for (let round = 0; round < ROUNDS; round++) {
  const bus = createMemoryBus(Value.Create(memoryBusConfigSchema), deps);
  await measure('bus/memory, lent batches', () => read(bus, publish(bus, batch)));
}
const broker = await startBroker();
try {
  for (let round = 0; round < ROUNDS; round++) await kafkaRound(broker.brokers.split(','), batch);
} finally {
  await broker.stop();
}

console.log(`${megabytes} MB of frames of ${frameBytes} bytes, MB/s, ${ROUNDS} rounds:`);
console.table(
  Object.fromEntries(
    [...results].map(([name, rates]) => [
      name,
      { best: Math.round(Math.max(...rates)), worst: Math.round(Math.min(...rates)) },
    ]),
  ),
);
