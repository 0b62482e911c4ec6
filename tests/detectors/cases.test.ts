import { describe, expect, it } from 'vitest';
import { LEARN_S, casesOf, hostsOf, playCase } from '../support/case.ts';
import { builtIn } from '../support/traffic.ts';

describe.each(builtIn())('%s', (id) => {
  const cases = casesOf(id);

  it('has a case that fires, a near miss and a benign one', () => {
    expect(new Set(cases.map((c) => c.kind))).toEqual(new Set(['fires', 'near-miss', 'benign']));
  });

  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_name, c) => {
    const { alerts, failures } = await playCase(id, c);
    expect([...failures]).toEqual([]);
    const { severity, below, device, within } = c.expect;
    if (below !== undefined) {
      expect(alerts.filter((a) => a.severity >= below).map((a) => `${a.severity} ${a.message}`)).toEqual([]);
      return;
    }
    const found = alerts.filter((a) => a.severity >= (severity ?? 1));
    expect(alerts.map((a) => `${a.severity} ${a.message}`)).not.toEqual([]);
    const first = found[0];
    expect(first, 'an alert of the expected severity').toBeDefined();
    if (first === undefined) return;
    if (device !== undefined) expect(first.device.mac).toBe(hostsOf(c).get(device)!.mac);
    if (within !== undefined) expect(first.at - LEARN_S - (c.steps[0]!.at ?? 0)).toBeLessThanOrEqual(within);
    // One deed is one alert.
    expect(found.length).toBeLessThanOrEqual(2);
  });
});
