import type { AlertRow } from '../../kernel/rows.ts';

/** One end of the conversation that an alert shows. */
export interface Party {
  ip: string;
  mac: string;
  port: number;
  hostname: string;
}

/** What the formats need of the OCSF object beside the columns of the row. */
export interface Finding {
  /** The whole object, an empty one where the stored text is damaged. */
  ocsf: Record<string, unknown>;
  productVersion: string;
  src: Party | undefined;
  dst: Party | undefined;
  advice: { do: string[]; do_not: string[]; patient_impact: string };
  techniques: { id: string; name: string }[];
}

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const textsOf = (value: unknown): string[] => listOf(value).filter((v) => typeof v === 'string');

function partyOf(value: unknown): Party | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { ip, mac, port, hostname } = fieldsOf(value);
  return { ip: textOf(ip), mac: textOf(mac), port: typeof port === 'number' ? port : 0, hostname: textOf(hostname) };
}

/** Reads the stored OCSF text of an alert; a damaged one gives an empty finding, never an exception. */
export function readFinding(row: AlertRow): Finding {
  let ocsf: Fields = {};
  try {
    ocsf = fieldsOf(JSON.parse(row.ocsf));
  } catch {
    // The columns of the row still tell most of it.
  }
  const evidence = fieldsOf(listOf(ocsf['evidences'])[0]);
  const unmapped = fieldsOf(ocsf['unmapped']);
  const attacks = listOf(fieldsOf(ocsf['finding_info'])['attacks']);
  const names = new Map(
    attacks.map((attack) => {
      const technique = fieldsOf(fieldsOf(attack)['technique']);
      return [textOf(technique['uid']), textOf(technique['name'])];
    }),
  );
  return {
    ocsf,
    productVersion: textOf(fieldsOf(fieldsOf(ocsf['metadata'])['product'])['version']),
    src: partyOf(evidence['src_endpoint']),
    dst: partyOf(evidence['dst_endpoint']),
    advice: {
      do: textsOf(unmapped['do']),
      do_not: textsOf(unmapped['do_not']),
      patient_impact: textOf(unmapped['patient_impact']),
    },
    techniques: row.attacks.map((id) => ({ id, name: names.get(id) ?? '' })),
  };
}
