import type { AlertRow } from '../../kernel/rows.ts';
import { readFinding } from './finding.ts';
import type { Party } from './finding.ts';

/** Version of the Elastic Common Schema whose fields are written. */
const ECS_VERSION = '8.17.0';

/** ECS writes MAC addresses in upper case with dashes (RFC 7042). */
const mac = (text: string): string => text.toUpperCase().replaceAll(':', '-');

const iso = (ms: number): string => new Date(ms).toISOString();

/** Drops what is empty, so that no field says that it knows nothing. */
function known(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, v]) => v !== undefined && v !== '' && !(Array.isArray(v) && v.length === 0) && !isEmpty(v),
    ),
  );
}

const isEmpty = (v: unknown): boolean =>
  typeof v === 'object' && v !== null && !Array.isArray(v) && Object.keys(v).length === 0;

function endpoint(party: Party | undefined): Record<string, unknown> {
  if (party === undefined) return {};
  return known({
    address: party.ip === '' ? party.hostname : party.ip,
    ip: party.ip,
    mac: mac(party.mac),
    ...(party.port > 0 ? { port: party.port } : {}),
    domain: party.hostname,
  });
}

/**
 * The alert as a document of the Elastic Common Schema. The device is the `host` (`device.*` means a mobile
 * phone in ECS); what ECS has no field for stands under `wardwatch`.
 */
export function toEcs(row: AlertRow): Record<string, unknown> {
  const { src, dst, productVersion, advice, techniques } = readFinding(row);
  const ips = [row.device_ip, src?.ip ?? '', dst?.ip ?? ''].filter((ip) => ip !== '');
  const hosts = [row.device_name, src?.hostname ?? '', dst?.hostname ?? ''].filter((name) => name !== '');
  return known({
    '@timestamp': iso(row.time),
    ecs: { version: ECS_VERSION },
    message: row.message,
    event: {
      kind: 'alert',
      category: ['intrusion_detection', 'network'],
      type: ['info'],
      module: 'wardwatch',
      dataset: 'wardwatch.alerts',
      action: row.detector,
      id: `${row.uid}-${row.version}`,
      start: iso(row.start_time),
      end: iso(row.end_time),
      severity: row.severity_id,
      risk_score: row.risk_score,
    },
    rule: { id: row.detector, name: row.title, category: row.detector, ruleset: 'wardwatch' },
    threat:
      techniques.length === 0
        ? {}
        : {
            framework: 'MITRE ATT&CK',
            technique: known({
              id: techniques.map((t) => t.id),
              name: techniques.map((t) => t.name).filter((name) => name !== ''),
            }),
          },
    host: known({
      id: row.device,
      name: row.device_name,
      hostname: row.device_name,
      ip: row.device_ip === '' ? [] : [row.device_ip],
      mac: row.device_mac === '' ? [] : [mac(row.device_mac)],
      type: row.device_type,
    }),
    source: endpoint(src),
    destination: endpoint(dst),
    network: row.vlan === '' ? {} : { vlan: { id: row.vlan } },
    observer: known({ vendor: 'Wardwatch', product: 'Wardwatch', type: 'ids', version: productVersion }),
    related: known({ ip: [...new Set(ips)], hosts: [...new Set(hosts)] }),
    wardwatch: known({
      alert: { uid: row.uid, version: row.version },
      confidence: row.confidence_score,
      detectors: row.detectors,
      parties: row.parties,
      findings: row.findings,
      advice: known(advice),
    }),
  });
}
