/**
 * Pushes packets of flows that have long begun through a hot path and prints how many bytes the heap has grown by
 * for each. Started by allocation.process.test.ts with a young generation too large to be collected meanwhile.
 */
import { buildHotPath } from '../../src/app/build.ts';
import type { HotPathStage } from '../../src/app/hot-path.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';
import { FLAGS, batchOf, ethernet, ipv4, tcp, udp } from '../support/frames.ts';

const FLOWS = 64;
const ROUNDS = 200;
const CLIENT = '00:09:fb:01:02:03';
const SERVER = '00:15:5d:0a:00:01';
const said = new Uint8Array(40).fill(0xf3);

/** A payload each way, an acknowledgement and a datagram of every flow; sequence numbers are set for each round. */
function conversation(): FrameBatch {
  const frames: Uint8Array[] = [];
  for (let flow = 0; flow < FLOWS; flow++) {
    const client = `10.0.${flow}.7`;
    const { ack } = FLAGS;
    frames.push(
      ethernet(CLIENT, SERVER, 0x0800, ipv4(client, '10.9.9.9', 6, tcp(40_000 + flow, 9, ack, 1, 1, said)), 220),
      ethernet(SERVER, CLIENT, 0x0800, ipv4('10.9.9.9', client, 6, tcp(9, 40_000 + flow, ack, 1, 1, said)), 220),
      ethernet(CLIENT, SERVER, 0x0800, ipv4(client, '10.9.9.9', 6, tcp(40_000 + flow, 9, ack, 1, 1)), 220),
      ethernet(CLIENT, SERVER, 0x0800, ipv4(client, '10.9.9.9', 17, udp(41_000 + flow, 9, said))),
    );
  }
  return batchOf(frames.map((bytes) => ({ bytes, tsUs: 1e15 })));
}

const stage = process.argv[2] as HotPathStage;
const { config } = loadConfig({});
const { hotPath } = await buildHotPath({ config, seed: 1, stage, productVersion: '0', output: {} });
const batch = conversation();
let round = 0;

function push(times: number): void {
  for (let n = 0; n < times; n++, round++) {
    for (let i = 0; i < batch.count; i++) {
      batch.tsUs[i] = 1e15 + round * 10_000 + i;
      if ((i & 3) === 3) continue;
      const seq = batch.offset[i]! + 18 + 20 + 4;
      batch.view.setUint32(seq, 1 + (round + ((i & 3) === 2 ? 1 : 0)) * said.length);
    }
    hotPath.process(batch);
  }
}

// Until the engine has compiled what is hot, and flows that nobody knows are left alone.
push(20 * ROUNDS);
globalThis.gc?.();
push(ROUNDS);
const before = process.memoryUsage().heapUsed;
push(ROUNDS);
const grown = process.memoryUsage().heapUsed - before;
process.stdout.write(
  JSON.stringify({ packets: ROUNDS * batch.count, bytes: grown, flows: hotPath.counters().openFlows }),
);
