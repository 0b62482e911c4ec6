import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { tokenKeyOf } from '../../src/app/build.ts';
import { runPipeline } from '../../src/app/pipeline.ts';
import { loadConfig } from '../../src/config/index.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { EvidenceShelf } from '../../src/desk/evidence.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';

const demo = (name: string): string => fileURLToPath(new URL(`../../demo/${name}`, import.meta.url));

it('keeps the frames around an alert without their payload, as a capture that opens in tshark', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-evidence-'));
  const desk = openDatabase(join(folder, 'desk.sqlite'));
  try {
    const shelf = new EvidenceShelf(desk);
    const alerts = new Map<string, AlertRow>();
    await runPipeline(
      {
        config: loadConfig({ file: undefined }).config,
        productVersion: '0',
        learn: [demo('learn.pcap.gz')],
        files: [demo('attack-1.pcap.gz')],
        interface: undefined,
        kafka: false,
        toTheEnd: true,
        speed: undefined,
        seed: 1,
        tokenKey: tokenKeyOf(1),
      },
      {
        rows: async (batch) => {
          for (const row of batch.alerts ?? []) alerts.set(row.uid, row);
          shelf.keep(batch.evidence ?? []);
        },
        progress: () => undefined,
        warning: () => undefined,
        reporter: silentReporter,
      },
      new AbortController().signal,
    );
    const grave = [...alerts.values()].filter((row) => row.severity_id >= 3);
    expect(grave.length).toBeGreaterThan(0);
    for (const row of grave) {
      const evidence = shelf.evidenceOf(row.uid);
      expect(evidence, row.title).toBeDefined();
      const file = join(folder, 'alert.pcapng');
      writeFileSync(file, evidence!.pcapng);
      const fields = ['frame.len', 'frame.cap_len', 'tcp.hdr_len', 'eth.addr', 'frame.time_epoch'];
      const tshark = (...args: string[]): string => execFileSync('tshark', ['-n', '-r', file, ...args]).toString();
      const lines = tshark('-T', 'fields', ...fields.flatMap((field) => ['-e', field]))
        .trim()
        .split('\n')
        .map((line) => line.split('\t'));
      expect(lines).toHaveLength(evidence!.frames);
      for (const [, captured, header, addresses, time] of lines) {
        // Ethernet with at most two tags, IP without options, TCP with its own.
        if (header) expect(Number(captured)).toBeLessThanOrEqual(14 + 8 + 40 + Number(header));
        expect(Number(captured)).toBeLessThanOrEqual(128);
        const involved = [row.device, ...row.parties].map((key) => key.split('/').at(-1)!);
        expect(involved.some((mac) => addresses!.includes(mac))).toBe(true);
        expect(Math.abs(Number(time) * 1000 - row.time)).toBeLessThan(row.end_time - row.start_time + 3_600_000);
      }
      expect(execFileSync('capinfos', ['-k', file]).toString()).toContain('Payload is left out');
    }
  } finally {
    desk.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
