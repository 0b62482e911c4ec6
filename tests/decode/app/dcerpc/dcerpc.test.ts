import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/dcerpc/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, expectHardened, expectSplitInvariant } from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';

describeWithCaptures('DCE/RPC over real captures', (captures) => {
  const streams = (name: string): ReturnType<typeof readStreams> =>
    readStreams(join(captures, name)).filter((stream) => stream.transport === 'tcp');

  it('tells a replication of accounts and the exploit of Netlogon', () => {
    const calls = streams('attacks/windows/pcap-attack/Lateral_Movement__zerologon_mimikatz_ntlm_privacy_scan_and_exploit_encrypted.pcapng')
      .flatMap((stream) => dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }).seen)
      .filter((o) => o.kind === 'dcerpc.call' && o.fields['interface'] === 'netlogon'); // prettier-ignore
    // NetrServerReqChallenge 4, NetrServerAuthenticate2 15 or 3 26, NetrServerPasswordSet2 30.
    const opnums = new Set(calls.map((o) => o.fields['opnum']));
    expect(opnums.has(4)).toBe(true);
    expect(calls.length).toBeGreaterThan(100);
  });

  it('finds what is asked of the endpoint mapper', () => {
    const seen = streams('attacks/windows/pcap-attack/Discovery__Discovery_impacket_rpcdump.pcapng').flatMap(
      (stream) => dissect(dissector, stream.chunks, stream).seen,
    );
    expect(seen.map((o) => o.fields)).toEqual([{ interface: 'epmapper' }, { interface: 'epmapper', opnum: 2 }]);
  });

  const wmi = streams('attacks/windows/pcap-attack/Lateral_Movement__LM_WMI_ProcessCallCreate.pcapng').find(
    (stream) => stream.respPort === 135,
  )!;

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, wmi.chunks, { midStream: !wmi.fromStart });
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, wmi.chunks);
  });
});
