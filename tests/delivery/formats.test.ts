import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveryId, matchesFilter, testDelivery } from '../../src/alerts/delivery.ts';
import { toCef, toJson, toLeef } from '../../src/alerts/formats/index.ts';
import { replayInto, useFolder } from '../spine/replays.ts';
import { alertRow, HOSTILE, NOON } from './rows.ts';

/** Keys of the CEF dictionary (ArcSight "Implementing ArcSight CEF", v25) that a producer may set. */
const DICTIONARY = new Set(
  (
    'act app c6a1 c6a1Label c6a2 c6a2Label c6a3 c6a3Label cat cn1 cn1Label cn2 cn2Label cn3 cn3Label cnt cs1 cs1Label ' +
    'cs2 cs2Label cs3 cs3Label cs4 cs4Label cs5 cs5Label cs6 cs6Label dhost dmac dpt dst dvchost end externalId ' +
    'msg proto rt shost smac spt src start'
  ).split(' '),
);

/** Reads a line of CEF as a receiver does: by the escapes of the specification, knowing nothing of our writer. */
function readCef(line: string): { header: string[]; fields: Map<string, string> } {
  const header: string[] = [];
  let part = '';
  let at = 0;
  for (; at < line.length && header.length < 7; at++) {
    if (line[at] === '\\') part += line[++at]!;
    else if (line[at] === '|') {
      header.push(part);
      part = '';
    } else part += line[at]!;
  }
  const fields = new Map<string, string>();
  const rest = line.slice(at);
  // A key is a word before an equals sign that no backslash stands in front of.
  const keys = [...rest.matchAll(/(?:^| )([A-Za-z0-9]+)=/g)].map((match) => ({
    name: match[1]!,
    start: match.index,
    value: match.index + match[0].length,
  }));
  keys.forEach((key, i) => {
    const raw = rest.slice(key.value, keys[i + 1]?.start ?? rest.length);
    expect(fields.has(key.name), `${key.name} twice in ${line}`).toBe(false);
    fields.set(key.name, raw.replace(/\\(.)/g, '$1'));
  });
  return { header, fields };
}

function readLeef(line: string): { header: string[]; fields: Map<string, string> } {
  const parts = line.split('|');
  const attributes = parts.slice(6).join('|');
  return {
    header: parts.slice(0, 6),
    fields: new Map(
      attributes.split('\t').map((pair) => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at), pair.slice(at + 1)];
      }),
    ),
  };
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom('=', '|', '\\', '\n', '\r', '\t', ' src=', 'CEF:0|', '\u2028', '\ud800', '\u202e', '=1+1', 'ä'),
    )
    .map((parts) => parts.join('')),
);

describe('CEF', () => {
  it('writes the line that a receiver expects', () => {
    expect(toCef(alertRow())).toBe(
      'CEF:0|Wardwatch|Wardwatch|0.1.0|scan|Scan of the network|8|rt=1795183200000 start=1795183140000 ' +
        'end=1795183200000 externalId=a1B2c3D4e5F6-1 cat=scan msg=Infusion pump pump-12 tried 156 addresses in 60 s. ' +
        'cnt=3 src=10.20.30.12 smac=00:09:fb:01:02:03 spt=40123 shost=pump-12 dst=10.20.30.99 ' +
        'dmac=00:09:fb:01:02:99 dpt=445 cs1Label=Device cs1=220/00:09:fb:01:02:03 cs2Label=Device type ' +
        'cs2=infusion_pump cs3Label=VLAN cs3=220 cs4Label=ATT&CK techniques cs4=T0846 cs5Label=Device name ' +
        'cs5=pump-12 cs6Label=Device address cs6=10.20.30.12 cn1Label=Version of the alert cn1=1 ' +
        'cn2Label=Confidence cn2=87 cn3Label=Risk score cn3=82',
    );
  });

  it('shows a hostile name as text', () => {
    const line = toCef(alertRow({ device_name: HOSTILE, title: HOSTILE }));
    expect(line).not.toMatch(CONTROL);
    const { header, fields } = readCef(line);
    const shown = '=cmd|"/C calc"!A1 a=b\\|c CEF:0|x| [31m <script> end';
    expect(header[5]).toBe(shown);
    expect(fields.get('cs5')).toBe(shown);
    expect(fields.get('shost')).toBe(shown);
  });

  it('puts IPv6 where version 0 has a place for it', () => {
    const row = alertRow({ device_ip: 'fd00::12' });
    const { fields } = readCef(toCef(row));
    expect(fields.has('src')).toBe(false);
    expect(fields.get('c6a2')).toBe('fd00::12');
    expect(fields.get('c6a2Label')).toBe('Source IPv6 Address');
  });

  it('is read back by its specification, whatever stands in names', () => {
    fc.assert(
      fc.property(hostileText, hostileText, hostileText, (name, title, message) => {
        const line = toCef(alertRow({ device_name: name, title, message }));
        expect(line).not.toMatch(CONTROL);
        expect(line.isWellFormed()).toBe(true);
        const { header, fields } = readCef(line);
        expect(header).toHaveLength(7);
        expect(header.slice(0, 5)).toEqual(['CEF:0', 'Wardwatch', 'Wardwatch', '0.1.0', 'scan']);
        for (const key of fields.keys()) expect(DICTIONARY).toContain(key);
        expect(fields.get('src')).toBe('10.20.30.12');
        expect(fields.get('cnt')).toBe('3');
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  it('keeps within the lengths of the dictionary', () => {
    const { header, fields } = readCef(toCef(alertRow({ title: 'x'.repeat(9000), message: 'é'.repeat(9000) })));
    expect(header[5]).toHaveLength(512);
    expect(fields.get('msg')).toHaveLength(1023);
  });
});

describe('LEEF 2.0', () => {
  it('writes the line that a receiver expects', () => {
    expect(toLeef(alertRow())).toBe(
      [
        'LEEF:2.0|Wardwatch|Wardwatch|0.1.0|scan|x09|devTime=1795183200000',
        'cat=scan',
        'sev=8',
        'src=10.20.30.12',
        'srcMAC=00:09:fb:01:02:03',
        'srcPort=40123',
        'identHostName=pump-12',
        'identMAC=00:09:fb:01:02:03',
        'dst=10.20.30.99',
        'dstMAC=00:09:fb:01:02:99',
        'dstPort=445',
        'alertId=a1B2c3D4e5F6',
        'alertVersion=1',
        'startTime=1795183140000',
        'endTime=1795183200000',
        'title=Scan of the network',
        'msg=Infusion pump pump-12 tried 156 addresses in 60 s.',
        'device=220/00:09:fb:01:02:03',
        'deviceType=infusion_pump',
        'vlan=220',
        'attackTechniques=T0846',
        'confidence=87',
        'riskScore=82',
      ].join('\t'),
    );
  });

  it('is read back, whatever stands in names', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (name, message) => {
        const line = toLeef(alertRow({ device_name: name, message, detector: 'scan' }));
        expect(line.replaceAll('\t', '')).not.toMatch(CONTROL);
        const { header, fields } = readLeef(line);
        expect(header).toEqual(['LEEF:2.0', 'Wardwatch', 'Wardwatch', '0.1.0', 'scan', 'x09']);
        expect(fields.get('alertId')).toBe('a1B2c3D4e5F6');
        expect(fields.get('riskScore')).toBe('82');
      }),
      { seed: 8, numRuns: 500 },
    );
  });
});

describe('ECS', () => {
  it('fills the fields that detection rules ask for', () => {
    expect(toJson(alertRow(), 'ecs')).toMatchObject({
      '@timestamp': '2026-11-20T14:00:00.000Z',
      event: { kind: 'alert', category: ['intrusion_detection', 'network'], severity: 4, id: 'a1B2c3D4e5F6-1' },
      rule: { id: 'scan', name: 'Scan of the network' },
      threat: { framework: 'MITRE ATT&CK', technique: { id: ['T0846'], name: ['Remote System Discovery'] } },
      host: { name: 'pump-12', ip: ['10.20.30.12'], mac: ['00-09-FB-01-02-03'], type: 'infusion_pump' },
      source: { ip: '10.20.30.12', port: 40123 },
      destination: { ip: '10.20.30.99', port: 445, mac: '00-09-FB-01-02-99' },
      network: { vlan: { id: '220' } },
      related: { ip: ['10.20.30.12', '10.20.30.99'], hosts: ['pump-12'] },
      wardwatch: { advice: { do: ['look at the pump'], do_not: ['do not cut it off'] } },
    });
  });

  it('leaves out what is not known', () => {
    const row = alertRow({ device_ip: '', device_name: '', device_mac: '', vlan: '', attacks: [], ocsf: 'damaged' });
    expect(toJson(row, 'ecs')).not.toHaveProperty('network');
    expect(toJson(row, 'ecs')).not.toHaveProperty('threat');
    expect(JSON.stringify(toJson(row, 'ecs'))).not.toContain('""');
  });
});

describe('Wardwatch JSON', () => {
  it('is the columns with advice and evidence, without the OCSF text', () => {
    const body = toJson(alertRow(), 'wardwatch');
    expect(body).toMatchObject({ uid: 'a1B2c3D4e5F6', version: 1, device_name: 'pump-12', vlan: '220' });
    expect(body['evidences']).toHaveLength(1);
    expect(body['advice']).toEqual({
      do: ['look at the pump'],
      do_not: ['do not cut it off'],
      patient_impact: 'infusion may stop',
    });
    expect(body).not.toHaveProperty('ocsf');
  });
});

describe('OCSF', () => {
  const folder = useFolder();

  /** Made by ocsf-json-schema 1.2.0 (PyPI) of the schema that schema.ocsf.io publishes for 1.6.0. */
  async function published(): Promise<(body: unknown) => string[]> {
    const file = new URL('fixtures/ocsf-1.6.0-detection-finding.schema.json', import.meta.url);
    const schema = JSON.parse(await readFile(file, 'utf8')) as object;
    const validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
    return (body) =>
      validate(body)
        ? []
        : (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
  }

  it('is valid by the published schema for every alert of the demo', async () => {
    const errorsOf = await published();
    const demo = (name: string): string => new URL(`../../demo/${name}.pcap.gz`, import.meta.url).pathname;
    const { text } = await replayInto(folder('demo'), {
      learn: [demo('learn')],
      files: [1, 2, 3, 4].map((n) => demo(`attack-${n}`)),
    });
    const lines = (await text('alerts.ndjson')).trim().split('\n');
    expect(lines.length).toBeGreaterThan(2);
    for (const ocsf of lines) expect(errorsOf(toJson(alertRow({ ocsf }), 'ocsf')), ocsf.slice(0, 200)).toEqual([]);
  });

  it('is valid for the test message; the schema would not let a p-value into an observation', async () => {
    const errorsOf = await published();
    const test = testDelivery(NOON, '0.1.0').row;
    expect(errorsOf(toJson(test, 'ocsf'))).toEqual([]);
    const withAnomaly = {
      ...(JSON.parse(test.ocsf) as object),
      anomaly_analyses: [
        {
          analysis_targets: [{ name: 'unusual-behaviour', type: 'detector' }],
          anomalies: [
            {
              observation_parameter: 'score',
              observed_pattern: 'ABOVE LIMIT',
              observations: [{ value: '0.7', p_value: 0.001 }],
            },
          ],
        },
      ],
    };
    expect(errorsOf(withAnomaly)).not.toEqual([]);
  });
});

describe('a delivery', () => {
  it('has an id without a full stop, whatever the alert is called', () => {
    expect(deliveryId('a1B2', 3)).toBe('alert_a1B2_3');
    expect(deliveryId('../a.b', 1)).toMatch(/^alert_[0-9a-f]{64}_1$/);
  });

  it('goes where the filter says', () => {
    const row = alertRow();
    expect(matchesFilter({}, row)).toBe(true);
    expect(matchesFilter({ severity_at_least: 4 }, row)).toBe(true);
    expect(matchesFilter({ severity_at_least: 5 }, row)).toBe(false);
    expect(matchesFilter({ classes: ['infusion_pump'], vlans: ['220'], detectors: ['new-peer'] }, row)).toBe(true);
    expect(matchesFilter({ classes: ['ventilator'] }, row)).toBe(false);
    expect(matchesFilter({ vlans: [''] }, row)).toBe(false);
    expect(matchesFilter({ detectors: ['beacon'] }, row)).toBe(false);
  });
});
