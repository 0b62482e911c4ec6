import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/ssdp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectedToken, fuzzDissector } from '../../../support/dissect.ts';
import { seenIn } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 1900 };
const notify = bytesOf(
  'NOTIFY * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age = 1800\r\nLocation: http://10.0.0.2/d.xml\r\nServer: Linux UPnP/1.0 Cam/2\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\nUSN: uuid:1::upnp:rootdevice\r\n\r\n',
);
const search = bytesOf('M-SEARCH * HTTP/1.1\r\nMAN: "ssdp:discover"\r\nST: ssdp:all\r\n\r\n');
const answer = bytesOf('HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:1\r\nSERVER: X\r\n\r\n');

describe('ssdp', () => {
  it('reads the three kinds', () => {
    const { seen, events } = dissect(
      dissector,
      [notify, search, answer].map((bytes) => ({ bytes })),
      UDP,
    );
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      {
        method: 'NOTIFY',
        target: 'upnp:rootdevice',
        sub_type: 'ssdp:alive',
        server: 'Linux UPnP/1.0 Cam/2',
        location: 'http://10.0.0.2/d.xml',
        usn: expectedToken('uuid:1::upnp:rootdevice'),
        max_age_s: 1800,
      },
      { method: 'M-SEARCH', target: 'ssdp:all' },
      { method: 'RESPONSE', target: 'upnp:rootdevice', usn: expectedToken('uuid:1'), server: 'X' },
    ]);
  });

  it('refuses other text', () => {
    expect(dissect(dissector, [{ bytes: bytesOf('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') }], UDP).verdict).toBe(
      'no',
    );
    expect(dissect(dissector, [{ bytes: bytesOf('NOTIFY sip:a SIP/2.0\r\n') }], UDP).verdict).toBe('no');
  });

  it('survives mutation', () => fuzzDissector(dissector, [notify, search, answer], UDP));
});

describeWithCaptures('ssdp on real traffic', (dir) => {
  // tshark 4.0.17: -Y ssdp counts 26.
  it('finds the messages that tshark finds', () => {
    expect(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'))).toHaveLength(26);
  });
});
