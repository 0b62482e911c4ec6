import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { DetectorDefinition } from '../../src/detect/sdk.ts';
import { casesOf, playCase } from '../support/case.ts';
import { builtIn } from '../support/traffic.ts';

const SECTIONS = [
  'What it sees',
  'Why it matters at the bedside',
  'Signals and maths',
  'Parameters',
  'Known gaps',
  'False positives',
  'Triage steps',
  'References',
];
const root = fileURLToPath(new URL('../../detectors/', import.meta.url));
const sdk = pathToFileURL(fileURLToPath(new URL('../../src/detect/sdk.ts', import.meta.url))).href;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A folder of detectors of a site: name to source text of its index.ts. */
function siteFolder(detectors: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-detectors-'));
  folders.push(folder);
  for (const [id, text] of Object.entries(detectors)) {
    mkdirSync(join(folder, id));
    writeFileSync(join(folder, id, 'index.ts'), text);
  }
  return folder;
}

async function definition(id: string): Promise<DetectorDefinition> {
  return ((await import(join(root, id, 'index.ts'))) as { default: DetectorDefinition }).default;
}

describe.each(builtIn())('%s', (id) => {
  it('has the id of its folder, valid techniques and described parameters', async () => {
    const d = await definition(id);
    expect(d.id).toBe(id);
    expect(d.title).not.toBe('');
    expect(d.summary).toMatch(/\.$/);
    expect(d.techniques.length).toBeGreaterThan(0);
    for (const t of d.techniques) {
      expect(t.id).toMatch(t.matrix === 'ics' ? /^T0[78]\d\d(\.\d{3})?$/ : /^T1\d{3}(\.\d{3})?$/);
      expect(t.name).not.toBe('');
    }
    for (const [name, p] of Object.entries(d.params)) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(p.doc).toMatch(/\.$/);
      if (typeof p.default !== 'number') continue;
      if (p.min !== undefined) expect(p.default).toBeGreaterThanOrEqual(p.min);
      if (p.max !== undefined) expect(p.default).toBeLessThanOrEqual(p.max);
    }
  });

  it('explains itself', async () => {
    const file = join(root, id, 'README.md');
    expect(existsSync(file)).toBe(true);
    const text = readFileSync(file, 'utf8');
    const found = [...text.matchAll(/^## (.+)$/gm)].map((m) => m[1]);
    for (const section of SECTIONS) expect(found).toContain(section);
    for (const name of Object.keys((await definition(id)).params)) expect(text).toContain(`\`${name}\``);
  });

  it('is in the table of detectors', () => {
    const table = readFileSync(join(root, '../docs/reference/detectors.md'), 'utf8');
    expect(table).toContain(`\`${id}\``);
  });

  it('is what makes its cases fire', async () => {
    const firing = casesOf(id).find((c) => c.kind === 'fires')!;
    const { alerts, running } = await playCase(id, firing, { only: [id], detection: { disabled: [id] } });
    expect(running).not.toContain(id);
    expect(alerts).toEqual([]);
  });
});

describe('the collection', () => {
  const scan = casesOf('scan').find((c) => c.name === 'syn-scan')!;

  it('goes on when one detector throws', async () => {
    const folder = siteFolder({
      'site-broken': `import { defineDetector } from '${sdk}';
export default defineDetector({ id: 'site-broken', version: 1, status: 'test', title: 'Broken', summary: 'Throws.',
  analytic: 'rule', techniques: [], params: {},
  create() { return { onFlowStart() { throw new Error('no such thing'); } }; } });\n`,
    });
    const { alerts, failures } = await playCase('scan', scan, { only: ['scan'], detection: { folder } });
    expect(failures.get('site-broken')).toContain('no such thing');
    expect(alerts.map((a) => a.detector)).toContain('scan');
  });

  it('loads a detector of the site, with its parameters', async () => {
    const folder = siteFolder({
      'site-telnet': `import { LOW, defineDetector, endpointOf } from '${sdk}';
export default defineDetector({ id: 'site-telnet', version: 1, status: 'test', title: 'Telnet', summary: 'Any Telnet.',
  analytic: 'rule', techniques: [], params: { port: { default: 1, doc: 'Port.' } },
  create(ctx) { return { onFlowStart(flow) {
    if (flow.resp.port !== ctx.params.port || flow.orig.device === undefined) return;
    ctx.finding({ device: flow.orig.device, subject: 'telnet', severity: LOW, confidence: 50, tsUs: flow.startUs,
      firstUs: flow.startUs, title: 'Telnet', sentence: 'Telnet was used.', evidence: [{ src: endpointOf(flow.orig.device), dst: undefined }], anomalies: [] });
  } }; } });\n`,
    });
    const { alerts } = await playCase('scan', scan, {
      only: [],
      detection: { folder, detectors: { 'site-telnet': { port: 23 } } },
    });
    expect(alerts.map((a) => [a.detector, a.message])).toEqual([['site-telnet', 'Telnet was used.']]);
  });

  it('refuses a detector whose id is not its folder', async () => {
    const folder = siteFolder({ 'site-other': 'export default { id: "another" };\n' });
    const { failures } = await playCase('scan', scan, { only: ['scan'], detection: { folder } });
    expect(failures.get('site-other')).toContain("its id is 'another'");
  });

  it('raises the same alerts twice', async () => {
    const one = await playCase('scan', scan, {});
    const two = await playCase('scan', scan, {});
    expect(two.alerts.map((a) => a.ocsf)).toEqual(one.alerts.map((a) => a.ocsf));
  });
});
