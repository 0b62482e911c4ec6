import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/ssh/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, expectHardened, expectSplitInvariant, orig, resp } from '../../../support/conversation.ts';
import { streamTo } from '../../../support/streams.ts';

describeWithCaptures('SSH over real captures', (captures) => {
  const stream = streamTo(join(captures, 'protocols/suricata/ssh-hassh.pcap'), 22);

  it('gives banners, the HASSH that Suricata publishes, and the change to encryption', () => {
    const result = dissect(dissector, stream.chunks);
    expect(result.seen.map((o) => [o.kind, o.fields])).toEqual([
      ['ssh.banner', { version: '2.0', software: 'OpenSSH_for_Windows_7.7', from_client: 1 }],
      ['ssh.banner', { version: '2.0', software: 'OpenSSH_7.4', from_client: 0 }],
      ['ssh.kexinit', { hassh: '2dd6531c7e89d3c925db9214711be76a', from_client: 1 }],
      ['ssh.kexinit', { hassh: '6832f1ce43d4397c2c0a3e2f8c94334e', from_client: 0 }],
      ['ssh.encrypted', { sides: 2 }],
    ]);
    expect(result.events).toEqual([]);
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, stream.chunks.slice(0, 12));
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, stream.chunks.slice(0, 12));
  });

  it('reads only the banners of version 1', () => {
    const first = streamTo(join(captures, 'standards/ja4/sshv1.pcap'), 22);
    const seen = dissect(dissector, first.chunks).seen;
    expect(seen.map((o) => o.fields['version'])).toEqual(['1.5', '1.5']);
  });
});

describe('SSH', () => {
  it('passes over lines before the banner and refuses what is none', () => {
    const banner = resp('SSH-2.0-dropbear_2019.78\r\n');
    expect(dissect(dissector, [orig('SSH-2.0-x\r\n'), resp('notice\r\n'), banner]).seen).toHaveLength(2);
    expect(dissect(dissector, [orig('SSH-x')]).taken).toBe(false);
    expect(dissect(dissector, [orig(`SSH-2.0-${'x'.repeat(300)}`)])).toMatchObject({
      excluded: true,
      events: ['ssh.bad_banner'],
    });
  });
});
