import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/smb/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  concat,
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  orig,
} from '../../../support/conversation.ts';
import type { Dissected } from '../../../support/conversation.ts';
import { readStreams, streamTo } from '../../../support/streams.ts';

function observe(path: string): Dissected[] {
  return readStreams(path)
    .filter((stream) => stream.transport === 'tcp')
    .map((stream) => dissect(dissector, stream.chunks, { ...stream, midStream: !stream.fromStart }))
    .filter((result) => result.taken);
}

describeWithCaptures('SMB over real captures', (captures) => {
  // SMB 2 headers without interim answers, and DCE/RPC calls on 445, as tshark 4.0.17 counts them
  // (`-T fields -e smb2.cmd -e smb2.nt_status`, `-Y dcerpc.pkt_type==0`).
  it.each([
    ['protocols/zeek/smb/smb2.delete-on-close-perms-delete-existing.pcap', 50, 0],
    ['protocols/zeek/smb/smb_many_open_files_500.pcap.gz', 273, 8],
    ['protocols/zeek/dce-rpc/20-fids-no-close.pcap', 294, 62],
    ['protocols/suricata/smb2-delete.pcap', 168, 0],
    ['protocols/suricata/smb-version-keyword.pcap', 15, 0],
    ['attacks/windows/pcap-attack/Lateral_Movement__LM_psexec_smb_dcerpc_epm_svcctl.pcapng', 124, 0],
    ['clinical/C-smb_ransomware.pcap.gz', 1326, 0],
  ])('counts the messages of %s', (name, messages, calls) => {
    const seen = observe(join(captures, name)).flatMap((result) => result.seen);
    const commands = seen.filter((o) => o.kind === 'smb.command');
    // The first request of a client that also speaks version 1 comes in version 1.
    const inVersion1 = commands.filter((o) => o.fields['command'] === 'negotiate' && o.fields['is_request'] === 1).length -
      commands.filter((o) => o.fields['command'] === 'negotiate' && o.fields['is_request'] === 0).length; // prettier-ignore
    expect(inVersion1).toBe(0);
    expect(commands.length - upgrades(seen)).toBe(messages);
    expect(seen.filter((o) => o.kind === 'dcerpc.call')).toHaveLength(calls);
  });

  function upgrades(seen: Dissected['seen']): number {
    return seen.filter((o) => o.kind === 'smb.negotiate' && o.fields['dialect'] === '2.x').length;
  }

  it('names the interfaces of a remote service started over a pipe', () => {
    const name = 'otrf/lateral_movement__covenant_sharpsc_stop_dcerpc_smb_svcctl_2020-08-06031938.cap.gz';
    const seen = observe(join(captures, 'attacks/windows', name)).flatMap((result) => result.seen);
    expect(seen.some((o) => o.kind === 'dcerpc.call' && o.fields['interface'] === 'svcctl')).toBe(true);
    expect(seen.some((o) => o.fields['pipe'] === 'svcctl')).toBe(true);
    expect(seen.some((o) => o.fields['share'] === 'IPC$')).toBe(true);
  });

  it('reads names of computers and hides those of users in an NTLM login', () => {
    const seen = observe(join(captures, 'clinical/C-smb_ransomware.pcap.gz'))[0]!.seen;
    expect(seen.find((o) => o.kind === 'ntlm.challenge')?.fields).toMatchObject({ computer: 'FILES01' });
    expect(seen.find((o) => o.kind === 'ntlm.auth')?.fields).toMatchObject({ workstation: 'WS-PHYS-02' });
    expect(seen.find((o) => o.kind === 'smb.session')?.fields).toMatchObject({ ok: 1 });
    expect(seen.find((o) => o.kind === 'smb.negotiate')?.fields).toEqual({ dialect: '3.1.1', signing: 'enabled' });
  });

  it('says that messages are encrypted', () => {
    const seen = observe(join(captures, 'protocols/zeek/smb/smb3.pcap')).flatMap((result) => result.seen);
    expect(seen.filter((o) => o.fields['encrypted'] === 1)).toHaveLength(44);
  });

  it('recognises a compression header that overflows', () => {
    const name = 'attacks/windows/pcap-attack/PrivEsc__CVE-2020-0796_SMBGhost_PrivEsc_Loopback_traffic.pcapng';
    expect(observe(join(captures, name)).flatMap((result) => result.events)).toEqual(['smb.bad_compression']);
  });

  it('reads software and trees of version 1', () => {
    const seen = observe(join(captures, 'protocols/suricata/smb-eicar-file.pcap')).flatMap((result) => result.seen);
    expect(seen.find((o) => o.kind === 'smb.negotiate')?.fields['dialect']).toBe('1');
    expect(seen.find((o) => o.kind === 'smb.software')?.fields['os']).toBe('Unix');
    expect(seen.filter((o) => o.kind === 'smb.command').map((o) => o.fields['command'])).toContain('create');
  });

  const deletes = streamTo(join(captures, 'protocols/zeek/smb/smb2.delete-on-close-perms-delete-existing.pcap'), 445);
  const version1 = streamTo(join(captures, 'protocols/suricata/smb-eicar-andx.pcap'), 445);
  const pipes = streamTo(join(captures, 'attacks/windows/otrf/lateral_movement__covenant_sharpsc_query_dcerpc_smb_svcctl_2020-08-06012009.cap.gz'), 445); // prettier-ignore

  it('numbers requests and responses alike', () => {
    const seen = dissect(dissector, deletes.chunks).seen.filter((o) => o.kind === 'smb.command');
    const numbers = (isRequest: number): unknown[] =>
      seen.filter((o) => o.fields['is_request'] === isRequest).map((o) => o.fields['message_id']);
    expect(numbers(1)).toEqual(numbers(0));
    expect(new Set(numbers(1)).size).toBe(numbers(1).length);
  });

  it('tells deleting', () => {
    const seen = dissect(dissector, deletes.chunks).seen;
    expect(seen.some((o) => o.fields['action'] === 'delete')).toBe(true);
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, deletes.chunks.slice(0, 14));
    expectSplitInvariant(dissector, version1.chunks.slice(0, 10));
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, deletes.chunks.slice(0, 16), {}, 80);
    expectHardened(dissector, version1.chunks.slice(0, 12), {}, 80);
    expectHardened(dissector, pipes.chunks.slice(0, 30), {}, 50);
  });

  it('finds the next message in mid-stream and after lost bytes', () => {
    const [first, ...rest] = deletes.chunks.filter((chunk) => chunk.direction === 0);
    const noise = { direction: 0, bytes: new Uint8Array(700).fill(0x41) };
    const joined = { direction: 0, bytes: concat(noise.bytes, rest[0]!.bytes) };
    const midStream = dissect(dissector, [joined, ...rest.slice(1)], { midStream: true });
    expect(midStream.seen).toEqual(dissect(dissector, rest).seen);
    const lossy = dissect(dissector, [first!, { ...joined, gap: true }, ...rest.slice(1)]);
    expect(lossy.seen).toEqual(dissect(dissector, [first!, ...rest]).seen);
  });

  it('lets no name of a file or share out', () => {
    expectNothingOf(dissect(dissector, version1.chunks), ['eicar', 'share\\']);
    for (const result of observe(join(captures, 'clinical/C-smb_ransomware.pcap.gz'))) {
      expectNothingOf(result, ['.docx', '.pdf', '.locked', 'clinical\\', '.txt']);
    }
  });
});

describe('SMB', () => {
  it('leaves other protocols alone', () => {
    expect(dissect(dissector, [orig('\0\0\0\x20HELLO world, this is no such message')]).taken).toBe(false);
    expect(dissect(dissector, [orig('GET / HTTP/1.1\r\n\r\n')]).taken).toBe(false);
  });
});
