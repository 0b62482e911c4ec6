/**
 * What a million concurrent flows weigh: synthetic TCP connections (SYN, SYN-ACK, a payload each way) that all stay
 * open, through the whole path up to a stage. Prints bytes a flow and resident memory, and fails above the limits.
 *
 *   node benchmarks/flows-memory.ts [--flows N] [--stage flows|app]
 *
 * `flows`: nothing but the table. `app`: every connection has said something that no dissector knows, as most of a
 * flood does; what a dissected flow needs besides its record depends on its protocol.
 */
import { parseArgs } from 'node:util';
import { buildHotPath } from '../src/app/build.ts';
import { loadConfig } from '../src/config/index.ts';
import { createFrameBatch } from '../src/kernel/frames.ts';
import { FlowTable } from '../src/track/flow-table.ts';

const MOST_BYTES_A_FLOW = 256;
const MOST_RESIDENT_MIB = 600;

const { values } = parseArgs({
  options: { flows: { type: 'string', default: '1000000' }, stage: { type: 'string', default: 'app' } },
});
const flows = Number(values.flows);
const stage = values.stage === 'flows' ? 'flows' : 'app';

const { config } = loadConfig({});
const max_flows = 2 ** Math.ceil(Math.log2(flows));
const { hotPath } = await buildHotPath({
  config: { ...config, hotPath: { ...config.hotPath, track: { ...config.hotPath.track, max_flows } } },
  seed: 1,
  stage,
  productVersion: '0',
  output: {},
});

const FRAME = 14 + 20 + 20 + 26;
const FRAMES = 4096;
const SYN = 2;
const SYN_ACK = 18;
const PUSH_ACK = 24;
const bytes = new Uint8Array(FRAME * FRAMES);
const batch = createFrameBatch(FRAMES, bytes);
const { view } = batch;
let row = 0;

function frame(flow: number, fromClient: boolean, flags: number, seq: number, payload: number): void {
  const o = row * FRAME;
  bytes.fill(0, o, o + FRAME);
  view.setUint32(o, fromClient ? 0x00155d0b : 0x0009fb00);
  view.setUint32(o + 6, fromClient ? 0x0009fb00 : 0x00155d0b);
  view.setUint16(o + 12, 0x0800);
  const ip = o + 14;
  bytes[ip] = 0x45;
  view.setUint16(ip + 2, 40 + payload);
  bytes[ip + 8] = 64;
  bytes[ip + 9] = 6;
  const client = 0x0a000000 + (flow >>> 4);
  view.setUint32(ip + 12, fromClient ? client : 0x0a800001);
  view.setUint32(ip + 16, fromClient ? 0x0a800001 : client);
  const tcp = ip + 20;
  const port = 40_000 + (flow & 15);
  view.setUint16(tcp, fromClient ? port : 9);
  view.setUint16(tcp + 2, fromClient ? 9 : port);
  view.setUint32(tcp + 4, seq);
  bytes[tcp + 12] = 0x50;
  bytes[tcp + 13] = flags;
  view.setUint16(tcp + 14, 512);
  for (let i = 0; i < payload; i++) bytes[tcp + 20 + i] = 0xf0 | (i & 7);
  batch.offset[row] = o;
  batch.capLen[row] = 54 + payload;
  batch.wireLen[row] = 54 + payload;
  batch.tsUs[row] = 1e15 + flow * 20;
  batch.linkType[row] = 1;
  if (++row === FRAMES) flush();
}

function flush(): void {
  batch.count = row;
  hotPath.process(batch);
  batch.firstFrame += row;
  row = 0;
}

for (let flow = 0; flow < flows; flow++) {
  frame(flow, true, SYN, 0, 0);
  frame(flow, false, SYN_ACK, 0, 0);
  frame(flow, true, PUSH_ACK, 1, 26);
  frame(flow, false, PUSH_ACK, 1, 26);
}
flush();
const open = hotPath.counters().openFlows;
const table = new FlowTable(1024);
const result = {
  stage,
  open_flows: open,
  bytes_a_flow: Math.round(table.bytes / table.capacity),
  heap_mib: Math.round(process.memoryUsage().heapUsed / 1_048_576),
  arrays_mib: Math.round(process.memoryUsage().arrayBuffers / 1_048_576),
  rss_mib: Math.round(process.memoryUsage.rss() / 1_048_576),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
if (open !== flows || result.bytes_a_flow > MOST_BYTES_A_FLOW || result.rss_mib > MOST_RESIDENT_MIB) {
  process.stderr.write(
    `over the limits: ${flows} flows, ${MOST_BYTES_A_FLOW} bytes a flow, ${MOST_RESIDENT_MIB} MiB\n`,
  );
  process.exitCode = 1;
}
