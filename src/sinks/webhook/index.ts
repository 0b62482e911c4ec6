import type { AlertSink, Delivery, Outcome } from '../../alerts/delivery.ts';
import { WardwatchError } from '../../kernel/errors.ts';
import { createAddressGuard } from '../address-guard.ts';
import type { Resolve } from '../address-guard.ts';
import { failureOf } from '../failure.ts';
import { readFor, readTls, variableFor } from '../secrets.ts';
import type { WebhookConfig } from './config.ts';
import { createPoster } from './post.ts';
import type { Answer, Poster } from './post.ts';
import { createSigner, signedHeaders } from './signature.ts';
import type { Signer } from './signature.ts';
import { templates } from './templates.ts';

/** An answer to a hundred alerts is far shorter. */
const READ_BYTES = 1 << 20;

export interface WebhookDeps {
  /** Ranges of delivery.allow, in force where the endpoint has none of its own. */
  readonly allowed: readonly string[];
  readonly productVersion: string;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly resolve?: Resolve;
}

/**
 * Posts alerts: by Standard Webhooks 1.0.0, or in the form of a well-known receiver. 2xx is success, everything
 * else is tried again but 410, which switches the endpoint off. Redirects are not followed.
 */
export function createWebhookSink(config: WebhookConfig, deps: WebhookDeps): AlertSink {
  const url = new URL(config.url);
  const template = templates[config.template];
  const guard = createAddressGuard(config.allow ?? deps.allowed, deps.resolve);
  const now = deps.now ?? Date.now;
  const stopping = new AbortController();
  const isList = config.batch > 1;
  let signers: Signer[] = [];
  let authorization: string | undefined;
  let poster: Poster | undefined;

  const wrong = (what: string, remedy: string): WardwatchError =>
    new WardwatchError('WW_CONFIG', `the endpoint ${config.name} ${what}`, remedy);

  const readSigners = async (): Promise<Signer[]> => {
    const secrets = [
      ...(await Promise.all(config.secret_files.map((file) => readFor(config.name, 'secret_files', file)))),
      ...config.secret_env.map((name) => variableFor(config.name, 'secret_env', name)),
    ];
    return secrets.map((secret) => {
      const signer = createSigner(secret);
      if (signer !== undefined) return signer;
      throw wrong(
        'has a secret that is none of Standard Webhooks',
        'make one: echo "whsec_$(openssl rand -base64 32)"; 24 to 64 bytes in base64 after whsec_',
      );
    });
  };

  const outcomeOf = (answer: Answer, count: number): readonly Outcome[] => {
    const { status } = answer;
    const all = (outcome: Outcome): readonly Outcome[] => Array.from({ length: count }, () => outcome);
    const detail = `HTTP ${status}`;
    if (status >= 200 && status < 300) {
      if (template.judge === undefined) return all({ kind: 'delivered', detail });
      return template.judge(answer.body ?? '', count);
    }
    if (status === 410) return all({ kind: 'gone', detail: 'the receiver answered 410 Gone' });
    const retryAfterMs = retryAfter(answer.retryAfter, now());
    // These are about this one request; everything else is about the endpoint, and true for every alert.
    const isAboutAlert = [400, 413, 422, 500, 501].includes(status);
    const isBusy = [429, 502, 503, 504].includes(status);
    return all({
      kind: 'retry',
      detail,
      away: !isAboutAlert,
      ...(isBusy && retryAfterMs !== undefined ? { retryAfterMs } : {}),
    });
  };

  return {
    kind: 'webhook',
    batchSize: config.batch,
    concurrency: config.concurrency,
    keepsBatches: config.template === 'standard',

    async start() {
      if (url.protocol === 'http:' && !config.insecure_http)
        throw wrong('has an http: address', 'use https:, or set insecure_http to send alerts unprotected');
      signers = await readSigners();
      if (config.template === 'standard' && signers.length === 0)
        throw wrong('has no secret to sign with', 'set secret_files or secret_env');
      if (config.authorization_file !== undefined)
        authorization = await readFor(config.name, 'authorization_file', config.authorization_file);
      else if (config.authorization_env !== undefined)
        authorization = variableFor(config.name, 'authorization_env', config.authorization_env);
      if (authorization !== undefined && !/^[\x20-\x7e]+$/.test(authorization))
        throw wrong('has an authorization that is no header value', 'write it as one line of ASCII');
      const tls = await readTls(config.name, config.tls ?? {});
      poster = createPoster(tls, { isTls: url.protocol === 'https:', sockets: config.concurrency });
    },

    async stop() {
      stopping.abort();
      poster?.close();
    },

    async send(deliveries: readonly Delivery[], id: string) {
      const away = (detail: string): readonly Outcome[] =>
        deliveries.map(() => ({ kind: 'retry', detail, away: true }) as const);
      if (poster === undefined) return away('not started');
      const checked = await guard.check(url.hostname);
      if (!checked.ok) return away(checked.detail);
      const body = Buffer.from(template.render(deliveries, config.format, isList));
      const headers = {
        'content-type': template.contentType,
        'user-agent': `Wardwatch/${deps.productVersion}`,
        ...(authorization === undefined ? {} : { authorization }),
        ...(signers.length === 0 ? {} : signedHeaders(id, now(), body, signers)),
      };
      const time = AbortSignal.timeout(config.timeout_s * 1000);
      try {
        const answer = await poster.post({
          url,
          headers,
          body,
          address: checked.address,
          readBytes: template.judge === undefined ? 0 : READ_BYTES,
          signal: AbortSignal.any([time, stopping.signal]),
        });
        return outcomeOf(answer, deliveries.length);
      } catch (error) {
        return away(time.aborted ? 'no answer in time' : failureOf(error));
      }
    },
  };
}

/** RFC 9110, 10.2.3: seconds or a date. In milliseconds from now; undefined where it is neither. */
function retryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined || text.length > 64) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
