/**
 * Reads out of an OCSF Detection Finding (class 2004) what the alert page shows. The object may come from
 * any version of any detector, so nothing in it is taken for granted: what is absent or of another
 * type is left out. No DOM here.
 */

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const object = (value: unknown): Json => (isObject(value) ? value : {});
const objects = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(text).filter(Boolean) : []);
const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

/** One row of the comparison of what was expected with what was seen. */
export interface Comparison {
  parameter: string;
  seen: string;
  usual: string;
  pattern: string;
  /** Number of windows or observations that the usual range rests on. */
  samples: number | undefined;
  pValue: number | undefined;
}

export interface Endpoint {
  name: string;
  ip: string;
  mac: string;
  port: number | undefined;
}
export interface Evidence {
  src: Endpoint | undefined;
  dst: Endpoint | undefined;
  protocol: string;
  communityId: string;
  flowUid: string;
}
export interface Technique {
  uid: string;
  name: string;
  tactic: string;
}
export interface FrameRange {
  origin: string;
  first: number | undefined;
  last: number | undefined;
}

export interface FindingView {
  sentence: string;
  comparisons: Comparison[];
  evidence: Evidence[];
  techniques: Technique[];
  patientImpact: string;
  doThis: string[];
  doNot: string[];
  frames: FrameRange[];
  references: string[];
}

interface Observed {
  parameter: string;
  pattern: string;
  values: string[];
  samples: number | undefined;
  pValue: number | undefined;
}

function observed(entry: Json): Observed {
  const observations = objects(entry['observations']);
  const counts = observations.map((one) => number(one['count'])).filter((n) => n !== undefined);
  return {
    parameter: text(entry['observation_parameter']),
    pattern: text(entry['observed_pattern']),
    values: observations.map((one) => text(one['value'])).filter(Boolean),
    samples: counts.length ? counts.reduce((sum, n) => sum + n, 0) : undefined,
    pValue: number(entry['p_value']) ?? number(object(entry['unmapped'])['p_value']),
  };
}

const BOUNDS: Record<string, number> = {
  min: 0,
  minimum: 0,
  lower: 0,
  median: 1,
  mean: 1,
  max: 2,
  maximum: 2,
  upper: 2,
};

/** `min 1` and `max 9` as `1 to 9`; anything else as it is listed. */
function range(values: string[]): string {
  if (values.length < 2) return values.join('');
  const split = values.map((value) => /^(\w+)[ :=]+(-?[\d.,e+-]+.*)$/i.exec(value));
  if (!split.every((match) => match && match[1]!.toLowerCase() in BOUNDS)) return values.join(', ');
  const sorted = [...split].sort((a, b) => BOUNDS[a![1]!.toLowerCase()]! - BOUNDS[b![1]!.toLowerCase()]!);
  return `${sorted[0]![2]} to ${sorted.at(-1)![2]}`;
}

function comparisons(ocsf: Json, pValues: Json): Comparison[] {
  const rows: Comparison[] = [];
  for (const analysis of objects(ocsf['anomaly_analyses'])) {
    const usual = objects(analysis['baselines']).map(observed);
    const seen = objects(analysis['anomalies']).map(observed);
    for (const [at, anomaly] of seen.entries()) {
      const baseline =
        usual.find((one) => one.parameter === anomaly.parameter) ??
        (seen.length === usual.length ? usual[at] : undefined);
      rows.push({
        parameter: anomaly.parameter,
        seen: anomaly.values.join(', ') || anomaly.pattern,
        usual: baseline ? range(baseline.values) || baseline.pattern : '',
        pattern: anomaly.pattern,
        samples: baseline?.samples,
        pValue: anomaly.pValue ?? number(pValues[anomaly.parameter]),
      });
    }
  }
  return rows.slice(0, 50);
}

function endpoint(value: unknown): Endpoint | undefined {
  if (!isObject(value)) return undefined;
  const name = text(value['hostname']) || text(value['name']) || text(value['domain']);
  return { name, ip: text(value['ip']), mac: text(value['mac']), port: number(value['port']) };
}

function evidenceOf(entry: Json): Evidence {
  const connection = object(entry['connection_info']);
  return {
    src: endpoint(entry['src_endpoint']),
    dst: endpoint(entry['dst_endpoint']),
    protocol: text(connection['protocol_name']),
    communityId: text(connection['community_uid']),
    flowUid: text(connection['uid']),
  };
}

function techniqueOf(attack: Json): Technique {
  const technique = isObject(attack['sub_technique']) ? object(attack['sub_technique']) : object(attack['technique']);
  const tactics = [object(attack['tactic']), ...objects(attack['tactics'])];
  return {
    uid: text(technique['uid']),
    name: text(technique['name']),
    tactic: tactics.map((tactic) => text(tactic['name'])).find(Boolean) ?? '',
  };
}

/** Everything the alert page shows of the object; `null` (damaged in the store) gives an empty view. */
export function readFinding(ocsf: object | null): FindingView {
  const finding = object(ocsf);
  const info = object(finding['finding_info']);
  const unmapped = object(finding['unmapped']);
  const attacks = objects(info['attacks']).length ? objects(info['attacks']) : objects(finding['attacks']);
  return {
    sentence: text(unmapped['sentence']) || text(finding['message']) || text(info['desc']),
    comparisons: comparisons(finding, object(unmapped['p_values'])),
    evidence: objects(finding['evidences']).slice(0, 100).map(evidenceOf),
    techniques: attacks.map(techniqueOf).filter((one) => one.uid || one.name),
    patientImpact: text(unmapped['patient_impact']),
    doThis: texts(unmapped['do']),
    doNot: texts(unmapped['do_not']),
    frames: objects(unmapped['frames'])
      .slice(0, 100)
      .map((one) => ({ origin: text(one['origin']), first: number(one['first']), last: number(one['last']) })),
    references: texts(object(finding['remediation'])['references']),
  };
}
