import type { Delivery, Outcome } from '../../alerts/delivery.ts';
import { toJson } from '../../alerts/formats/index.ts';
import type { JsonFormat } from '../../alerts/formats/index.ts';
import type { WebhookConfig } from './config.ts';

/** How alerts stand in a request, and what a 2xx with a body says about each of them. */
export interface Template {
  readonly contentType: string;
  render(deliveries: readonly Delivery[], format: JsonFormat, isList: boolean): string;
  /**
   * For receivers that say 200 and put the truth into the body; without it any 2xx is enough. The body is not
   * trusted: what cannot be understood is a failure, and tried again.
   */
  judge?(body: string, count: number): readonly Outcome[];
}

const iso = (ms: number): string => new Date(ms).toISOString();
const delivered = (detail: string): Outcome => ({ kind: 'delivered', detail });
const notUnderstood: Outcome = { kind: 'retry', detail: 'an answer that cannot be understood', away: true };

function parsed(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** The payload of Standard Webhooks: type, time of the event, data. The same on every attempt. */
function payload(delivery: Delivery, format: JsonFormat): Record<string, unknown> {
  return { type: delivery.type, timestamp: iso(delivery.row.time), data: toJson(delivery.row, format) };
}

const standard: Template = {
  contentType: 'application/json',
  render(deliveries, format, isList) {
    if (!isList) return JSON.stringify(payload(deliveries[0]!, format));
    const newest = Math.max(...deliveries.map(({ row }) => row.time));
    const data = deliveries.map((delivery) => ({ id: delivery.id, ...payload(delivery, format) }));
    return JSON.stringify({ type: 'alert.batch', timestamp: iso(newest), data });
  },
};

/** Splunk's HTTP Event Collector, `/services/collector/event`: objects one after the other; code 0 is success. */
const splunkHec: Template = {
  contentType: 'application/json',
  render: (deliveries, format) =>
    deliveries
      .map(({ id, row, type }) =>
        JSON.stringify({
          time: row.time / 1000,
          host: row.device_name || row.device_ip || row.device || 'wardwatch',
          source: 'wardwatch',
          sourcetype: `wardwatch:alert:${format}`,
          event: toJson(row, format),
          fields: { delivery_id: id, delivery_type: type },
        }),
      )
      .join('\n'),
  judge(body, count) {
    const { code } = parsed(body);
    const outcome: Outcome =
      code === 0
        ? delivered('accepted')
        : typeof code === 'number'
          ? { kind: 'retry', detail: `HEC code ${code}`, away: true }
          : notUnderstood;
    return Array.from({ length: count }, () => outcome);
  },
};

/**
 * Elasticsearch `_bulk` into the index or data stream of the URL. `create` with the id of the delivery: what is
 * there already is refused with 409, which is what was wanted.
 */
const elasticsearch: Template = {
  contentType: 'application/x-ndjson',
  render: (deliveries, format) =>
    deliveries
      .map(({ id, row }) => {
        const action = JSON.stringify({ create: { _id: id } });
        return `${action}\n${JSON.stringify({ '@timestamp': iso(row.time), ...toJson(row, format) })}\n`;
      })
      .join(''),
  judge(body, count) {
    const { items } = parsed(body);
    const list: unknown[] = Array.isArray(items) ? items : [];
    return Array.from({ length: count }, (_, i): Outcome => {
      const result = (list[i] as { create?: { status?: unknown } } | null | undefined)?.create?.status;
      if (list.length !== count || typeof result !== 'number') return notUnderstood;
      if ((result >= 200 && result < 300) || result === 409) return delivered(`item ${result}`);
      if (result === 429 || result >= 500) return { kind: 'retry', detail: `item ${result}`, away: true };
      return { kind: 'refused', detail: `item ${result}` };
    });
  },
};

/** An array of objects with TimeGenerated, as the Logs Ingestion API of Azure Monitor and its like take it. */
const sentinel: Template = {
  contentType: 'application/json',
  render: (deliveries, format) =>
    JSON.stringify(
      deliveries.map(({ id, row, type }) => ({
        TimeGenerated: iso(row.time),
        DeliveryId: id,
        DeliveryType: type,
        Severity: row.severity_id,
        Title: row.title,
        Alert: toJson(row, format),
      })),
    ),
};

export const templates: Readonly<Record<WebhookConfig['template'], Template>> = {
  standard,
  splunk_hec: splunkHec,
  elasticsearch,
  sentinel,
};
