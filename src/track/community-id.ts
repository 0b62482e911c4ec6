import { createHash } from 'node:crypto';
import { FLOW_FLAG, FLOW_WORDS, FlowTable } from './flow-table.ts';

const buffer = Buffer.alloc(64);

/**
 * @cold once a flow
 *
 * Community ID v1 (corelight/community-id-spec): SHA-1 over seed, addresses, protocol and ports with the
 * smaller endpoint first. Knows nothing of VLANs: the same id can occur in two segments.
 */
export function communityId(flows: FlowTable, slot: number, seed = 0): string {
  const v6 = (flows.flags(slot) & FLOW_FLAG.v6) !== 0;
  const proto = flows.meta(slot) & 255;
  const a = slot * FLOW_WORDS;
  let o = buffer.writeUInt16BE(seed, 0);
  const ports = flows.ports(slot);
  const hasPorts = proto === 6 || proto === 17 || proto === 132 || proto === 1 || proto === 58;
  for (let end = 0; end < 2; end++) {
    const from = v6 ? 0 : 3;
    for (let w = from; w < 4; w++) o = buffer.writeUInt32BE(flows.words[a + end * 4 + w]!, o);
  }
  buffer[o++] = proto;
  buffer[o++] = 0;
  if (hasPorts) {
    o = buffer.writeUInt16BE(ports >>> 16, o);
    o = buffer.writeUInt16BE(ports & 0xffff, o);
  }
  return '1:' + createHash('sha1').update(buffer.subarray(0, o)).digest('base64');
}
