import type { DatabaseSync } from 'node:sqlite';
import type { AlertSink } from '../alerts/delivery.ts';
import type { Config } from '../config/index.ts';
import { createDelivery } from '../desk/index.ts';
import type { DeliveryDesk, DeliveryEndpoint, StoredAlerts } from '../desk/index.ts';
import type { Reporter } from '../kernel/component.ts';
import type { AlertRow } from '../kernel/rows.ts';
import type { TriageDesk } from './triage.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { createKafkaSink } from '../sinks/kafka/index.ts';
import { createSmtpSink } from '../sinks/smtp/index.ts';
import { createSyslogSink } from '../sinks/syslog/index.ts';
import { createWebhookSink } from '../sinks/webhook/index.ts';

type EndpointConfig = Config['delivery']['endpoints'][number];

export interface SinkDeps {
  readonly productVersion: string;
  readonly reporter: Reporter;
}

/** The sink of one endpoint of the configuration. */
export function createSink(endpoint: EndpointConfig, allowed: readonly string[], deps: SinkDeps): AlertSink {
  const { productVersion, reporter } = deps;
  switch (endpoint.kind) {
    case 'webhook':
      return createWebhookSink(endpoint, { allowed, productVersion });
    case 'syslog':
      return createSyslogSink(endpoint, { allowed, productVersion });
    case 'smtp':
      return createSmtpSink(endpoint, { allowed, productVersion });
    case 'kafka':
      return createKafkaSink(endpoint, { allowed, reporter });
  }
}

/** All endpoints of the configuration. Fails with `WW_CONFIG` where two have the same name or a range is none. */
export function createEndpoints(config: Config, deps: SinkDeps): DeliveryEndpoint[] {
  const { allow, endpoints } = config.delivery;
  const names = new Set<string>();
  return endpoints.map((endpoint) => {
    if (names.has(endpoint.name))
      throw new WardwatchError(
        'WW_CONFIG',
        `two endpoints of delivery.endpoints are called ${endpoint.name}`,
        'give each a name of its own',
      );
    names.add(endpoint.name);
    try {
      return { name: endpoint.name, filter: endpoint.filter, sink: createSink(endpoint, allow, deps) };
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new WardwatchError('WW_CONFIG', `endpoint ${endpoint.name}: ${cause.message}`, 'correct delivery.allow', {
        cause,
      });
    }
  });
}

export interface DeliveryOfDeps extends SinkDeps {
  readonly desk: DatabaseSync;
  readonly store: StoredAlerts;
  readonly triage: TriageDesk;
  /** Others write to the store. */
  readonly watch?: boolean;
}

/** Delivery as the configuration has it, of alerts as the desk has them; undefined where there is no endpoint. */
export function createDeliveryOf(config: Config, deps: DeliveryOfDeps): DeliveryDesk | undefined {
  if (config.delivery.endpoints.length === 0) return undefined;
  const { desk, store, triage, reporter, watch = false } = deps;
  const endpoints = createEndpoints(config, deps);
  const judge = (rows: readonly AlertRow[]): readonly AlertRow[] => triage.judge(rows);
  const delivery = createDelivery(config.delivery.outbox, { desk, endpoints, store, judge, watch, reporter });
  triage.onChange((uids) => {
    const items = uids.flatMap((uid) => triage.triage.item(uid) ?? []);
    delivery.reconsider(items.filter((item) => item.muted_by === 0));
  });
  return delivery;
}
