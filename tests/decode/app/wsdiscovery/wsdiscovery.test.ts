import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/wsdiscovery/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectedToken, fuzzDissector, textsOf } from '../../../support/dissect.ts';
import { seenIn, tally } from '../../../support/payloads.ts';

const envelope = (action: string, body: string, more = ''): Uint8Array =>
  bytesOf(
    `<?xml version="1.0"?>\n<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:d="http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"><s:Header><a:Action>http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01/${action}</a:Action><a:MessageID>urn:uuid:m1</a:MessageID>${more}</s:Header><s:Body>${body}</s:Body></s:Envelope>`,
  );
const hello = envelope(
  'Hello',
  '<d:Hello><a:EndpointReference><a:Address> urn:uuid:dev1 </a:Address></a:EndpointReference><d:Types xmlns:p="x">p:Device q:MedicalDevice</d:Types><d:Scopes>sdc.ctxt.loc:/x?bed=CANARYBED sdc.mds.pkp:1</d:Scopes><d:XAddrs>http://10.0.0.4:6464/dev1 https://10.0.0.4/</d:XAddrs><d:MetadataVersion>7</d:MetadataVersion></d:Hello>',
  '<d:AppSequence InstanceId="311" MessageNumber="4"/>',
);
const UDP = { ipProto: 17, respPort: 3702 };

describe('wsdiscovery', () => {
  it('reads a Hello of a medical device', () => {
    const outcome = dissect(dissector, [{ bytes: hello, multicast: true }], UDP);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen).toEqual([
      {
        kind: 'wsdiscovery.message',
        fields: {
          action: 'Hello',
          types: 'Device MedicalDevice',
          is_dpws_device: 1,
          is_medical_device: 1,
          endpoint: expectedToken('urn:uuid:dev1'),
          message_id: expectedToken('urn:uuid:m1'),
          xaddr: 'http://10.0.0.4:6464',
          xaddr_count: 2,
          is_plain_http: 1,
          scope_count: 2,
          metadata_version: 7,
          instance_id: 311,
          message_number: 4,
          matches: 1,
        },
      },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('tells the six actions apart', () => {
    for (const action of ['Hello', 'Bye', 'Probe', 'ProbeMatches', 'Resolve', 'ResolveMatches']) {
      expect(dissect(dissector, [{ bytes: envelope(action, '') }], UDP).seen[0]!.fields['action']).toBe(action);
    }
    expect(dissect(dissector, [{ bytes: envelope('Other', '') }], UDP).events).toEqual(['wsdiscovery_unknown_action']);
  });

  it('refuses other XML and other text', () => {
    for (const other of ['<?xml version="1.0"?><root/>', 'NOTIFY * HTTP/1.1\r\n', '']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }], UDP).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [hello, envelope('Probe', '<d:Probe/>')], UDP));
});

describeWithCaptures('wsdiscovery on real traffic', (dir) => {
  // Python's count of datagrams with the discovery namespace, by the last word of wsa:Action.
  it('finds the messages of the clinical capture', () => {
    const seen = seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    expect(tally(seen, 'wsdiscovery.message', 'action')).toEqual({ Probe: 136, Hello: 15, ProbeMatches: 216 });
    expect(
      new Set(seen.filter((one) => one.fields['action'] === 'Hello').map((one) => one.fields['endpoint'])).size,
    ).toBe(3);
  });
});
