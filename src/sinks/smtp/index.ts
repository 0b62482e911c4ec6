import { isIP } from 'node:net';
import { createTransport } from 'nodemailer';
import type { AlertSink, Delivery, Outcome } from '../../alerts/delivery.ts';
import { WardwatchError } from '../../kernel/errors.ts';
import { createAddressGuard } from '../address-guard.ts';
import type { Resolve } from '../address-guard.ts';
import { failureOf } from '../failure.ts';
import { readFor, readTls, variableFor } from '../secrets.ts';
import type { SmtpConfig } from './config.ts';
import { toMail } from './mail.ts';

export interface SmtpDeps {
  /** Ranges of delivery.allow, in force where the endpoint has none of its own. */
  readonly allowed: readonly string[];
  readonly productVersion: string;
  readonly resolve?: Resolve;
}

const PORTS = { starttls: 587, tls: 465, none: 25 } as const;

/**
 * Sends alerts as e-mail (RFC 5321), one mail for each or for all of a digest's time. A mail counts as delivered when
 * the server has taken it for at least one reader. Its Message-ID is that of the delivery: a mail that had to be sent
 * twice can be told by it.
 */
export function createSmtpSink(config: SmtpConfig, deps: SmtpDeps): AlertSink {
  const guard = createAddressGuard(config.allow ?? deps.allowed, deps.resolve);
  const domain = config.from.slice(config.from.lastIndexOf('@') + 1);
  const open = new Set<{ close(): void }>();
  let tls: Awaited<ReturnType<typeof readTls>> = {};
  let password: string | undefined;
  let stopped = false;

  return {
    kind: 'smtp',
    batchSize: config.digest_s > 0 ? config.batch : 1,
    concurrency: 1,
    keepsBatches: true,
    holdMs: config.digest_s * 1000,

    async start() {
      tls = await readTls(config.name, config.tls ?? {});
      if (config.password_file !== undefined)
        password = await readFor(config.name, 'password_file', config.password_file);
      else if (config.password_env !== undefined)
        password = variableFor(config.name, 'password_env', config.password_env);
      if ((config.username === undefined) !== (password === undefined))
        throw new WardwatchError(
          'WW_CONFIG',
          `the endpoint ${config.name} has a username without a password, or a password without a username`,
          'set username and one of password_file and password_env, or none of them',
        );
      if (password !== undefined && config.security === 'none')
        throw new WardwatchError(
          'WW_CONFIG',
          `the endpoint ${config.name} would send its password unprotected`,
          'set security to starttls or tls',
        );
    },

    async stop() {
      stopped = true;
      for (const transport of open) transport.close();
    },

    async send(deliveries: readonly Delivery[], id: string) {
      const all = (outcome: Outcome): readonly Outcome[] => deliveries.map(() => outcome);
      if (stopped) return all({ kind: 'retry', detail: 'stopped', away: true });
      const checked = await guard.check(config.host);
      if (!checked.ok) return all({ kind: 'retry', detail: checked.detail, away: true });
      const timeout = config.timeout_s * 1000;
      const transport = createTransport({
        // The address that was checked; the certificate is that of the name.
        host: checked.address,
        port: config.port ?? PORTS[config.security],
        secure: config.security === 'tls',
        requireTLS: config.security === 'starttls',
        ignoreTLS: config.security === 'none',
        tls: { ...tls, minVersion: 'TLSv1.2', ...(isIP(config.host) === 0 ? { servername: config.host } : {}) },
        connectionTimeout: timeout,
        greetingTimeout: timeout,
        socketTimeout: timeout,
        disableFileAccess: true,
        disableUrlAccess: true,
        ...(config.username === undefined ? {} : { auth: { user: config.username, pass: password ?? '' } }),
      });
      open.add(transport);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('late')), timeout);
      });
      try {
        const mail = toMail(deliveries, config.console_url);
        const sending = transport.sendMail({
          ...mail,
          from: config.from,
          to: [...config.to],
          messageId: `<${id}@${domain}>`,
          // Nobody's absence shall answer to it (RFC 3834).
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Mailer': `Wardwatch/${deps.productVersion}` },
        });
        const { rejected } = await Promise.race([sending, late]);
        return all({
          kind: 'delivered',
          detail:
            rejected.length === 0 ? 'accepted' : `accepted, but not for ${rejected.length} of ${config.to.length}`,
        });
      } catch (error) {
        return all(outcomeOf(error));
      } finally {
        clearTimeout(timer);
        open.delete(transport);
        transport.close();
      }
    },
  };
}

/** What the server's code says (RFC 5321 4.2); a refusal of the mail itself is about this alert, all else is not. */
function outcomeOf(error: unknown): Outcome {
  const { responseCode, command } = error as { responseCode?: unknown; command?: unknown };
  const isAboutMail = command === 'DATA' && typeof responseCode === 'number' && responseCode >= 500;
  const detail = typeof responseCode === 'number' ? `SMTP ${responseCode}` : failureOf(error);
  return { kind: 'retry', detail, away: !isAboutMail };
}
