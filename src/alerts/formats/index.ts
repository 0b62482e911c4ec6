import type { AlertRow } from '../../kernel/rows.ts';
import { toEcs } from './ecs.ts';
import { readFinding } from './finding.ts';

export { toCef } from './cef.ts';
export { toLeef } from './leef.ts';

/** Bodies in JSON: OCSF Detection Finding, Elastic Common Schema, or the columns of the alert as they are. */
export type JsonFormat = 'ocsf' | 'ecs' | 'wardwatch';

/** The alert as a JSON object; the same row gives the same bytes. */
export function toJson(row: AlertRow, format: JsonFormat): Record<string, unknown> {
  switch (format) {
    case 'ecs':
      return toEcs(row);
    case 'ocsf':
      return strictOcsf(readFinding(row).ocsf);
    case 'wardwatch': {
      const { ocsf, advice } = readFinding(row);
      const { ocsf: _, ...columns } = row;
      return { ...columns, advice, evidences: ocsf['evidences'] ?? [] };
    }
  }
}

type Fields = Record<string, unknown>;
const objects = (value: unknown): Fields[] =>
  (Array.isArray(value) ? (value as unknown[]) : []).filter((v): v is Fields => typeof v === 'object' && v !== null);

/**
 * The stored finding as the published schema has it. An `observation` of OCSF 1.6.0 has no place for the p-value
 * that the console shows: outside it stands in `unmapped.p_values`, by the parameter it is about.
 */
function strictOcsf(ocsf: Fields): Fields {
  const pValues: Fields = {};
  const analyses = objects(ocsf['anomaly_analyses']).map((analysis) => ({
    ...analysis,
    anomalies: objects(analysis['anomalies']).map((anomaly) => ({
      ...anomaly,
      observations: objects(anomaly['observations']).map(({ p_value: pValue, ...observation }) => {
        if (pValue !== undefined) pValues[String(anomaly['observation_parameter'])] = pValue;
        return observation;
      }),
    })),
  }));
  return {
    ...ocsf,
    ...(ocsf['anomaly_analyses'] === undefined ? {} : { anomaly_analyses: analyses }),
    ...(Object.keys(pValues).length === 0
      ? {}
      : { unmapped: { ...(ocsf['unmapped'] as Fields | undefined), p_values: pValues } }),
  };
}
