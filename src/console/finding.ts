/**
 * Reads out of an OCSF Detection Finding (class 2004, written by src/alerts/ocsf.ts) what the alert page
 * shows. Stored alerts may be of older versions, so nothing in the object is taken for granted: what is
 * absent or of another type is left out. No DOM here.
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
  unit: string;
  seen: string;
  usual: string;
  pattern: string;
  /** Number of windows or things learned that the usual range rests on. */
  learned: number | undefined;
  pValue: number | undefined;
}

export interface Endpoint {
  /** Key of the device where the endpoint is a monitored one, else empty. */
  key: string;
  name: string;
  ip: string;
  mac: string;
  port: number | undefined;
}
export interface Evidence {
  src: Endpoint | undefined;
  dst: Endpoint | undefined;
  service: string;
}
export interface Technique {
  uid: string;
  name: string;
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
  /** Other findings that were fused into the alert. */
  related: { detector: string; sentence: string; time: number | undefined }[];
}

/** Bounds of what is shown: more than this is not read by anyone. */
const MAX_ROWS = 100;

function valueOf(entry: Json | undefined): string {
  return objects(entry?.['observations'])
    .map((one) => text(one['value']))
    .filter(Boolean)
    .join(', ');
}

/** First number of that name among the observations. */
function figureOf(entry: Json | undefined, name: string): number | undefined {
  return objects(entry?.['observations'])
    .map((one) => number(one[name]))
    .find((one) => one !== undefined);
}

function comparisonsOf(analysis: Json, pValues: Json): Comparison[] {
  const baselines = objects(analysis['baselines']);
  return objects(analysis['anomalies']).map((anomaly) => {
    const parameter = text(anomaly['observation_parameter']);
    const baseline = baselines.find((one) => text(one['observation_parameter']) === parameter);
    return {
      parameter: parameter.replaceAll('_', ' '),
      unit: text(anomaly['observation_type']),
      seen: valueOf(anomaly),
      usual: valueOf(baseline),
      pattern: text(anomaly['observed_pattern']),
      learned: figureOf(baseline, 'count'),
      pValue: number(pValues[text(anomaly['observation_parameter'])]),
    };
  });
}

function endpointOf(value: unknown): Endpoint | undefined {
  if (!isObject(value)) return undefined;
  return {
    key: text(value['uid']),
    name: text(value['hostname']),
    ip: text(value['ip']),
    mac: text(value['mac']),
    port: number(value['port']),
  };
}

/** Everything the alert page shows of the object; `null` (damaged in the store) gives an empty view. */
export function readFinding(ocsf: object | null): FindingView {
  const finding = object(ocsf);
  const info = object(finding['finding_info']);
  const unmapped = object(finding['unmapped']);
  return {
    sentence: text(unmapped['sentence']) || text(finding['message']) || text(info['desc']),
    comparisons: objects(finding['anomaly_analyses'])
      .flatMap((analysis) => comparisonsOf(analysis, object(unmapped['p_values'])))
      .slice(0, MAX_ROWS),
    evidence: objects(finding['evidences'])
      .slice(0, MAX_ROWS)
      .map((entry) => ({
        src: endpointOf(entry['src_endpoint']),
        dst: endpointOf(entry['dst_endpoint']),
        service: text(object(entry['data'])['service']),
      })),
    techniques: objects(info['attacks'])
      .map((attack) => object(attack['technique']))
      .map((technique) => ({ uid: text(technique['uid']), name: text(technique['name']) }))
      .filter((technique) => technique.uid !== ''),
    patientImpact: text(unmapped['patient_impact']),
    doThis: texts(unmapped['do']),
    doNot: texts(unmapped['do_not']),
    frames: objects(unmapped['frames'])
      .slice(0, MAX_ROWS)
      .map((one) => ({ origin: text(one['origin']), first: number(one['first']), last: number(one['last']) })),
    related: objects(unmapped['related'])
      .slice(0, MAX_ROWS)
      .map((one) => ({ detector: text(one['detector']), sentence: text(one['sentence']), time: number(one['time']) })),
  };
}
