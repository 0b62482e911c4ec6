import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/llmnr/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, fuzzDissector, hex } from '../../../support/dissect.ts';
import { seenIn, tally } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 5355 };
const query = bytesOf(hex('3ade 0000 0001 0000 0000 0000'), [4], 'WPAD', hex('00 0001 0001'));
const answer = bytesOf(
  hex('3ade 8000 0001 0001 0000 0000'),
  [4],
  'WPAD',
  hex('00 0001 0001 c00c 0001 0001 0000001e 0004 0a000063'),
);

describe('llmnr', () => {
  it('reads a question and who answers', () => {
    const { seen, events } = dissect(
      dissector,
      [
        { bytes: query, multicast: true },
        { bytes: answer, direction: 1 },
      ],
      UDP,
    );
    expect(events).toEqual([]);
    expect(seen).toEqual([
      { kind: 'llmnr.query', fields: { name: 'wpad', query_type: 'A', id: 0x3ade } },
      {
        kind: 'llmnr.response',
        fields: { name: 'wpad', query_type: 'A', addresses: '10.0.0.99', answers: 1, conflict: 0, id: 0x3ade },
      },
    ]);
  });

  it('leaves other ports to DNS', () => {
    expect(dissect(dissector, [{ bytes: query }], { ipProto: 17, respPort: 53 }).verdict).toBe('no');
  });

  it('survives mutation', () => fuzzDissector(dissector, [query, answer], UDP));
});

describeWithCaptures('llmnr on real traffic', (dir) => {
  // tshark 4.0.17: -Y llmnr -T fields -e dns.qry.name: msedgewin10 four times.
  it('finds the questions that tshark finds', () => {
    const seen = seenIn(dissector, join(dir, 'attacks/windows/pcap-attack/Lateral_Movement__LM_rdp_sharprdp.pcapng'));
    expect(tally(seen, 'llmnr.query', 'name')).toEqual({ msedgewin10: 4 });
  });
});
