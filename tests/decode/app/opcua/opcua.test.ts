import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/opcua/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, hex } from '../../../support/dissect.ts';
import { samplesIn, seenIn, tally } from '../../../support/payloads.ts';

const message = (type: string, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf(`${type}F`, [(content.length + 8) & 255, (content.length + 8) >> 8, 0, 0], content);
};
const string = (text: string): Uint8Array => bytesOf([text.length, 0, 0, 0], text);
const hello = message('HEL', new Uint8Array(20), string('opc.tcp://plc:4840'));
const open = (policy: string): Uint8Array =>
  message(
    'OPN',
    [7, 0, 0, 0],
    string(`http://opcfoundation.org/UA/SecurityPolicy#${policy}`),
    hex('ffffffff ffffffff'),
    new Uint8Array(16),
  );
const service = (id: number): Uint8Array =>
  message('MSG', hex('07000000 01000000 02000000 05000000 0100'), [id & 255, id >> 8], new Uint8Array(30));

describe('opcua', () => {
  it('reads channel and services', () => {
    const { seen, events } = dissect(dissector, [
      { bytes: bytesOf(hello, open('None'), service(673)) },
      { bytes: bytesOf(service(676), message('ERR', hex('00007d80'), string('bad'))), direction: 1 },
    ]);
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      { endpoint: 'opc.tcp://plc:4840', version: 0 },
      { policy: 'None', channel: 7, is_response: 0, has_certificate: 0 },
      { service: 'Write', service_id: 673, is_response: 0, is_write: 1, request_id: 5 },
      { service: 'Write', service_id: 676, is_response: 1, is_write: 0, request_id: 5 },
      { code: 0x807d0000 },
    ]);
  });

  it('reads no services on an encrypted channel', () => {
    const { seen } = dissect(dissector, [{ bytes: bytesOf(hello, open('Basic256Sha256'), service(673)) }]);
    expect(seen.map((one) => one.kind)).toEqual(['opcua.hello', 'opcua.channel']);
  });

  it('gives the same at every split, and goes on after a loss', () => {
    const stream = bytesOf(hello, open('None'), service(631), service(673));
    expectSplitInvariant(dissector, stream);
    const lost = dissect(dissector, [
      { bytes: bytesOf(hello, open('None')) },
      { bytes: bytesOf([1, 2, 3], service(712)), gapBefore: true },
    ]);
    expect(lost.seen.at(-1)!.fields['service']).toBe('Call');
    expect(lost.events).toEqual(['opcua_lost']);
  });

  it('refuses what is not OPC UA', () => {
    for (const other of ['HELO mail.example\r\n', 'MSGX    ', 'HELF\x01\0\0\0', 'GET / HTTP/1.1\r\n']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [bytesOf(hello, open('None'), service(631)), service(634)]));
});

describeWithCaptures('opcua on real traffic', (dir) => {
  // tshark 4.0.17: -Y opcua -T fields -e opcua.servicenodeid.numeric.
  it('reads what tshark reads', () => {
    const seen = seenIn(dissector, join(dir, 'protocols/opcua/python_opcua-client-server_minimal.pcap'));
    expect(tally(seen, 'opcua.service', 'service')).toEqual({
      CloseSecureChannel: 1,
      CreateSession: 2,
      ActivateSession: 2,
      CloseSession: 2,
      Browse: 2,
      TranslateBrowsePaths: 4,
    });
    const encrypted = seenIn(dissector, join(dir, 'protocols/opcua/open62541_client-server_encrypted.pcap'));
    expect(Object.keys(tally(encrypted, 'opcua.channel', 'policy'))).toContain('Basic128Rsa15');
  });

  it('survives mutation of real messages', () =>
    fuzzDissector(
      dissector,
      samplesIn(dissector, join(dir, 'protocols/opcua/python_opcua-client-server_minimal.pcap')),
    ));
});
