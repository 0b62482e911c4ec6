import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const child = fileURLToPath(new URL('allocation-child.ts', import.meta.url));

/** The engine's own doings (a deoptimisation, a new version of a function) over the whole run, in bytes. */
const SLACK = 64 * 1024;

describe('packets of known flows', () => {
  it.each(['flows', 'app'])('allocate nothing on their way through stage %s', (stage) => {
    const said = execFileSync(process.execPath, ['--expose-gc', '--max-semi-space-size=128', child, stage], {
      encoding: 'utf8',
    });
    const { packets, bytes, flows } = JSON.parse(said) as { packets: number; bytes: number; flows: number };
    expect(flows).toBe(128);
    expect(packets).toBeGreaterThan(50_000);
    // A number that is handed on in a box would be 16 bytes a packet.
    expect(bytes).toBeLessThan(SLACK);
  });
});
