import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { AlertSink, Delivery, Outcome } from '../../alerts/delivery.ts';
import { createAddressGuard } from '../address-guard.ts';
import type { Resolve } from '../address-guard.ts';
import { failureOf } from '../failure.ts';
import { readTls } from '../secrets.ts';
import type { SyslogConfig } from './config.ts';
import { sendDatagrams } from './datagrams.ts';
import { octetCounted, syslogMessage } from './message.ts';
import { createMessageStream } from './stream.ts';
import type { MessageStream } from './stream.ts';

export interface SyslogDeps {
  /** Ranges of delivery.allow, in force where the endpoint has none of its own. */
  readonly allowed: readonly string[];
  readonly productVersion: string;
  readonly resolve?: Resolve;
}

/**
 * Writes alerts as CEF or LEEF in syslog (RFC 5424). Syslog acknowledges nothing: over TLS and TCP a message
 * counts as delivered when its connection outlived it by `confirm_ms`, over UDP when nobody refused it.
 */
export function createSyslogSink(config: SyslogConfig, deps: SyslogDeps): AlertSink {
  const guard = createAddressGuard(config.allow ?? deps.allowed, deps.resolve);
  const stopping = new AbortController();
  const options = {
    format: config.format,
    facility: config.facility,
    sender: config.sender ?? hostname(),
    productVersion: deps.productVersion,
    maxBytes: config.max_message_bytes,
  };
  let stream: MessageStream | undefined;

  return {
    kind: 'syslog',
    batchSize: config.batch,
    // One connection, one order.
    concurrency: 1,
    keepsBatches: false,

    async start() {
      const tls = {
        ...(await readTls(config.name, config.tls ?? {})),
        ...(isIP(config.host) === 0 ? { servername: config.host } : {}),
      };
      stream = createMessageStream(config.port, config.transport === 'tls' ? tls : undefined);
    },

    async stop() {
      stopping.abort();
      stream?.close();
    },

    async send(deliveries: readonly Delivery[]) {
      const all = (outcome: Outcome): readonly Outcome[] => deliveries.map(() => outcome);
      const away = (detail: string): readonly Outcome[] => all({ kind: 'retry', detail, away: true });
      const checked = await guard.check(config.host);
      if (!checked.ok) return away(checked.detail);
      const messages = deliveries.map((delivery) => syslogMessage(delivery, options));
      const time = AbortSignal.timeout(config.timeout_s * 1000);
      const signal = AbortSignal.any([time, stopping.signal]);
      const { address } = checked;
      try {
        if (config.transport === 'udp') await sendDatagrams(messages, address, config.port, config.confirm_ms, signal);
        else if (stream === undefined) return away('not started');
        else await stream.write(octetCounted(messages), address, config.confirm_ms, signal);
        return all({ kind: 'delivered', detail: `written by ${config.transport}` });
      } catch (error) {
        return away(time.aborted ? 'no answer in time' : failureOf(error));
      }
    },
  };
}
