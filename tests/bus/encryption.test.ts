import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import type { PoisonRecord } from '../../src/bus/bus.ts';
import { createKafkaBus, ensureTopic, kafkaBusConfigSchema } from '../../src/bus/kafka/index.ts';
import type { KafkaBusConfig } from '../../src/bus/kafka/index.ts';
import { isSealed, openValue, readFrameKeys, sealValue } from '../../src/bus/keys.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { describeWithBroker } from '../support/kafka/shared.ts';
import { publishAll } from './contract.ts';
import { collect, frame, type Frame } from './frames.ts';

const deps = { reporter: silentReporter };
const line = (name: string): string => `${name}:${randomBytes(32).toString('base64')}`;
const keysOf = (...lines: string[]) => readFrameKeys(undefined, { WARDWATCH_FRAMES_KEYS: lines.join('\n') });

describe('a sealed value', () => {
  test('opens with its key at its place, and nowhere else', async () => {
    const keys = await keysOf(line('k1'));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.string(), async (content, place) => {
        const sealed = sealValue(content, place, keys);
        expect(isSealed(sealed)).toBe(true);
        expect(openValue(sealed, place, keys)).toEqual(Buffer.from(content));
        expect(openValue(sealed, `${place}x`, keys)).toBe('encrypted with another key of that name, or changed');
      }),
      { seed: 5 },
    );
  });

  test('is refused with any bit turned and at any length, without an exception', async () => {
    const keys = await keysOf(line('k1'));
    const sealed = sealValue(Buffer.from('frames, frames, frames, frames, frames'), 'here', keys);
    for (let bit = 32; bit < sealed.length * 8; bit++) {
      const turned = Buffer.from(sealed);
      turned[bit >> 3]! ^= 1 << (bit & 7);
      expect(openValue(turned, 'here', keys)).toBeTypeOf('string');
    }
    for (let length = 0; length < sealed.length; length++)
      expect(openValue(sealed.subarray(0, length), 'here', keys)).toBeTypeOf('string');
  });

  test('the newest key writes, the older ones read, one that is gone does not', async () => {
    const [old, fresh] = [line('2026-01'), line('2026-02')];
    const before = sealValue(Buffer.from('frames'), 'here', await keysOf(old));
    const both = await keysOf('# newest first', fresh, old, '');
    expect(openValue(before, 'here', both)).toEqual(Buffer.from('frames'));
    expect(openValue(sealValue(Buffer.from('frames'), 'here', both), 'here', await keysOf(fresh))).toEqual(
      Buffer.from('frames'),
    );
    expect(openValue(before, 'here', await keysOf(fresh))).toBe('encrypted with a key that is not here');
  });

  test.each([
    'nothing of a key',
    'k1:short',
    `k 1:${randomBytes(32).toString('base64')}`,
    `${line('twice')}\n${line('twice')}`,
    `k1:${randomBytes(16).toString('base64')}`,
  ])('keys that are none are refused without being shown: %#', async (text) => {
    const error: unknown = await keysOf(text).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WW_CONFIG', message: expect.stringMatching(/^Line \d of the keys/) });
    expect((error as Error).message).not.toContain(text.slice(-8));
  });

  test('a file of keys that is missing is named by its setting', async () => {
    await expect(readFrameKeys('/nowhere/keys')).rejects.toMatchObject({
      code: 'WW_CONFIG',
      message: expect.stringContaining('kafka.encryption.key_file'),
    });
  });
});

describeWithBroker('encryption of the frames topic', (brokers) => {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-keys-'));
  let files = 0;
  function keyFile(...lines: string[]): string {
    const path = join(folder, `keys-${files++}`);
    writeFileSync(path, lines.join('\n'));
    return path;
  }
  async function configOf(key_file: string): Promise<KafkaBusConfig> {
    const id = randomUUID();
    const config: KafkaBusConfig = {
      ...Value.Create(kafkaBusConfigSchema),
      brokers: brokers().split(','),
      topic: `frames-${id}`,
      group_id: id,
      partitions: 1,
      encryption: { key_file, refuse_plain: false },
    };
    await ensureTopic(config, { partitions: 1, retentionMs: 3_600_000, replicationFactor: 1 }, deps);
    return config;
  }
  async function send(config: KafkaBusConfig, frames: readonly Frame[]): Promise<ReadonlyMap<number, bigint>> {
    const bus = createKafkaBus(config, deps);
    const until = await publishAll(bus, new Map([[0, frames]]));
    await bus.stop();
    return until;
  }
  const withKeys = (config: KafkaBusConfig, key_file: string, refuse_plain = false): KafkaBusConfig => ({
    ...config,
    encryption: { key_file, refuse_plain },
  });

  test('keys are changed while frames are read; what cannot be opened is put aside, and the partition goes on', async () => {
    const [first, second, lost] = [line('first'), line('second'), line('lost')];
    const config = await configOf(keyFile(first));
    const { encryption: _none, ...plain } = config;
    await send(config, [frame(1, 60)]);
    await send(withKeys(config, keyFile(second, first)), [frame(2, 60)]);
    await send(withKeys(config, keyFile(lost)), [frame(3, 60)]);
    await send(withKeys(config, keyFile(line('first'))), [frame(4, 60)]);
    await send(plain, [frame(5, 60)]);
    const until = await send(withKeys(config, keyFile(second, first)), [frame(6, 60)]);
    const told: PoisonRecord[] = [];
    const bus = createKafkaBus(withKeys(config, keyFile(second, first), true), deps);
    const frames = await collect(bus.subscribe({ until, onPoison: (record) => told.push(record) }));
    await bus.stop();
    expect(frames.get(0)).toEqual([frame(1, 60), frame(2, 60), frame(6, 60)]);
    expect(told).toEqual([
      { partition: 0, offset: 2n, reason: 'encrypted with a key that is not here' },
      { partition: 0, offset: 3n, reason: 'encrypted with another key of that name, or changed' },
      { partition: 0, offset: 4n, reason: 'not encrypted' },
    ]);
  });

  test('nothing of a frame is to be seen on the topic, and a value at another place does not open', async () => {
    const config = await configOf(keyFile(line('k1')));
    const text = Buffer.from('PID|1||4711^^^HOSPITAL||DOE^JOHN');
    await send(config, [{ ...frame(1, text.length), bytes: text }]);
    const kafka = new kafkajs.Kafka({ brokers: brokers().split(','), logLevel: kafkajs.logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics: [config.topic], fromBeginning: true });
    const value = await new Promise<Buffer>((resolve, reject) => {
      consumer.run({ eachMessage: async ({ message }) => resolve(message.value!) }).catch(reject);
    });
    await consumer.disconnect();
    expect(isSealed(value)).toBe(true);
    expect(value.includes('DOE')).toBe(false);
    const keys = await readFrameKeys(config.encryption!.key_file);
    expect(openValue(value, `${config.topic}[0]`, keys)).toBeInstanceOf(Buffer);
    expect(openValue(value, `${config.topic}[1]`, keys)).toBeTypeOf('string');
  });
});
