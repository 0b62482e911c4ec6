import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/ftp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  dissect,
  expectHardened,
  expectNothingOf,
  expectSplitInvariant,
  orig,
  resp,
} from '../../../support/conversation.ts';
import { readStreams } from '../../../support/streams.ts';

const conversation = [
  resp('220-Welcome\r\n 220 not yet\r\n220 vsFTPd 3.0.3 (ftp)\r\n'),
  orig('USER canaryuser\r\n'),
  resp('331 Please specify the password.\r\n'),
  orig('PASS canarypass\r\n'),
  resp('530 Login incorrect.\r\n'),
  orig('user canaryuser\r\nPASS canarypass2\r\n'),
  resp('331 ok\r\n230 canarymotd\r\n'),
  orig('retr /canary/file.dcm\r\n'),
  resp('150 Opening BINARY mode data connection for canary (52428800 bytes).\r\n226 Done\r\n'),
  orig('XYZW canary\r\n'),
  resp('500 canary?\r\n'),
];

describe('FTP', () => {
  it('reads greeting, logins, commands and sizes', () => {
    const seen = dissect(dissector, conversation).seen.map((o) => ({ kind: o.kind, ...o.fields }));
    expect(seen).toMatchObject([
      { kind: 'ftp.server', banner: 'Welcome' },
      { kind: 'ftp.reply', code: 220 },
      { kind: 'ftp.command', verb: 'USER' },
      { kind: 'ftp.reply', code: 331, verb: 'USER' },
      { kind: 'ftp.command', verb: 'PASS' },
      { kind: 'ftp.reply', code: 530, verb: 'PASS' },
      { kind: 'ftp.login', ok: 0, code: 530 },
      { kind: 'ftp.command', verb: 'USER' },
      { kind: 'ftp.command', verb: 'PASS' },
      { kind: 'ftp.reply', code: 331 },
      { kind: 'ftp.reply', code: 230 },
      { kind: 'ftp.login', ok: 1, code: 230 },
      { kind: 'ftp.command', verb: 'RETR' },
      { kind: 'ftp.reply', code: 150, verb: 'RETR', transfer_bytes: 52_428_800 },
      { kind: 'ftp.reply', code: 226, verb: 'RETR' },
      { kind: 'ftp.command', verb: 'OTHER' },
      { kind: 'ftp.reply', code: 500 },
    ]);
  });

  it('lets no name, password or path out', () => {
    expectNothingOf(dissect(dissector, conversation), ['canary']);
  });

  it('observes the same however the stream is cut', () => {
    expectSplitInvariant(dissector, conversation);
  });

  it('survives damage and reads nothing outside its payload', () => {
    expectHardened(dissector, conversation);
  });

  it('leaves mail alone', () => {
    expect(dissect(dissector, [resp('220 mail ESMTP\r\n')]).taken).toBe(false);
    expect(dissect(dissector, [orig('USER a\r\nPASS b\r\nSTAT\r\n'), resp('+OK\r\n')]).taken).toBe(false);
  });
});

describeWithCaptures('FTP over real captures', (captures) => {
  it.each([
    ['protocols/arkime/ftp.pcap', 'Welcome to mirrors.rit.edu.'],
    ['protocols/suricata/ftp__ftp-upload-active.pcap', 'FTP Sandbox Ready.'],
  ])('reads the greeting of %s', (name, banner) => {
    const seen = readStreams(join(captures, name)).flatMap((s) =>
      s.transport === 'tcp' ? dissect(dissector, s.chunks, s).seen : [],
    );
    expect(seen.find((o) => o.kind === 'ftp.server')?.fields).toEqual({ banner });
    expect(seen.filter((o) => o.kind === 'ftp.login').map((o) => o.fields)).toEqual([{ ok: 1, code: 230 }]);
  });

  it('goes on as TLS after AUTH', () => {
    const [stream] = readStreams(join(captures, 'protocols/ndpi/ftp-start-tls.pcap'));
    const kinds = dissect(dissector, stream!.chunks).seen.map((o) => o.kind);
    expect(kinds).toEqual(
      expect.arrayContaining(['ftp.command', 'tls.client_hello', 'tls.server_hello', 'tls.certificate']),
    );
  });
});
