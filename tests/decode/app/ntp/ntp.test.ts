import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/ntp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, fuzzDissector, hex } from '../../../support/dissect.ts';
import { seenIn, tally } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 123 };
const seconds = (1_700_000_000 + 2_208_988_800 + 5).toString(16);
const server = hex(`24 02 06 e7 00000123 00000456 0a000001 ${'00'.repeat(24)} ${seconds} 00000000`);
const client = hex(`23${'00'.repeat(47)}`);
const list = hex('17 00 03 2a 00000000');
const control = hex('16 02 0001 0000 0000 0000 0000');

describe('ntp', () => {
  it('reads standard, control and private messages', () => {
    const { seen, events } = dissect(
      dissector,
      [server, client, list, control].map((bytes) => ({ bytes })),
      UDP,
    );
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toMatchObject([
      { mode: 'server', version: 4, leap: 0, stratum: 2, reference: '10.0.0.1', poll: 6, precision: -25, skew_s: 5 },
      { mode: 'client', version: 4, stratum: 0 },
      { mode: 'private', operation: 42, is_response: 0 },
      { mode: 'control', operation: 2, is_response: 0 },
    ]);
  });

  it('believes content, not the port', () => {
    const elsewhere = { ipProto: 17, respPort: 9999 };
    expect(dissect(dissector, [{ bytes: server }], elsewhere).verdict).toBe('yes');
    for (const other of [client, list, control, hex('41'.repeat(48))]) {
      expect(dissect(dissector, [{ bytes: other }], elsewhere).verdict).toBe('no');
    }
    expect(dissect(dissector, [{ bytes: hex('ff'.repeat(48)) }], UDP).verdict).toBe('no');
  });

  it('survives mutation', () => fuzzDissector(dissector, [server, client, list, control], UDP));
});

describeWithCaptures('ntp on real traffic', (dir) => {
  // tshark 4.0.17: -Y ntp counts 284 and 21.
  it('finds the messages that tshark finds', () => {
    const seen = seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    expect(tally(seen, 'ntp.message', 'mode')).toEqual({ client: 142, server: 142 });
    expect(tally(seenIn(dissector, join(dir, 'protocols/tcpdump/ntp-control.pcap')), 'ntp.message', 'mode')).toEqual({
      control: 21,
    });
  });
});
