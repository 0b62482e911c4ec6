import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/syslog/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, textsOf } from '../../../support/dissect.ts';
import { seenIn } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 514 };
const TCP = { ipProto: 6, respPort: 601 };
const modern = '<165>1 2026-01-01T00:00:00Z mon-7 alarmd 88 ID1 - CANARY patient text';
const old = '<34>Oct 11 22:14:15 pump-3 sshd[42]: failed password for CANARY';
const noHost = '<13>Oct  1 02:14:15 logger: CANARY';
const bare = '<13>CANARY text without a time';

describe('syslog', () => {
  it('reads both forms, and never the text', () => {
    const outcome = dissect(
      dissector,
      [modern, old, noHost, bare].map((text) => ({ bytes: bytesOf(text) })),
      UDP,
    );
    expect(outcome.events).toEqual([]);
    expect(outcome.seen.map((one) => one.fields)).toEqual([
      { facility: 20, severity: 5, version: 1, host: 'mon-7', app: 'alarmd', bytes: modern.length },
      { facility: 4, severity: 2, version: 0, host: 'pump-3', app: 'sshd', bytes: old.length },
      { facility: 1, severity: 5, version: 0, app: 'logger', bytes: noHost.length },
      { facility: 1, severity: 5, version: 0, bytes: bare.length },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('reads counted and terminated messages of a stream at every split', () => {
    const stream = bytesOf(`${modern.length} ${modern}${old.length} ${old}`);
    expect(dissect(dissector, [{ bytes: stream }], TCP).seen).toHaveLength(2);
    expectSplitInvariant(dissector, stream, TCP);
    expectSplitInvariant(dissector, bytesOf(`${old}\n${noHost}\n`), TCP);
  });

  it('refuses what is not syslog', () => {
    for (const other of ['<html>', '<192>1 x', '<1x>', '<?xml?>', 'GET / HTTP/1.0']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }], UDP).verdict).toBe('no');
      expect(dissect(dissector, [{ bytes: bytesOf(`${other}                          `) }], TCP).verdict).toBe('no');
    }
    expect(dissect(dissector, [{ bytes: bytesOf(bare) }], { ipProto: 17, respPort: 9999 }).verdict).toBe('no');
  });

  it('survives mutation', () => {
    fuzzDissector(
      dissector,
      [modern, old, noHost].map((text) => bytesOf(text)),
      UDP,
    );
    fuzzDissector(dissector, [bytesOf(`${old.length} ${old}`), bytesOf(`${old}\n${modern}\n`)], TCP);
  });
});

describeWithCaptures('syslog on real traffic', (dir) => {
  // tshark 4.0.17: -Y syslog counts 47; the two captures over TCP hold 2 and 4 messages.
  it('finds the messages that tshark finds', () => {
    expect(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'))).toHaveLength(47);
    expect(seenIn(dissector, join(dir, 'protocols/zeek/tcp-syslog-nontransparent.pcap'))).toHaveLength(2);
    expect(seenIn(dissector, join(dir, 'protocols/zeek/tcp-syslog.pcap'))).toHaveLength(4);
  });
});
