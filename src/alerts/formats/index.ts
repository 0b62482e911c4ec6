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
      return readFinding(row).ocsf;
    case 'wardwatch': {
      const { ocsf, advice } = readFinding(row);
      const { ocsf: _, ...columns } = row;
      return { ...columns, advice, evidences: ocsf['evidences'] ?? [] };
    }
  }
}
