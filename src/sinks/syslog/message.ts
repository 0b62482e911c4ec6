import type { Delivery } from '../../alerts/delivery.ts';
import { toCef, toLeef } from '../../alerts/formats/index.ts';

/** Syslog severities for severity_id 1 to 5: informational, notice, warning, error, critical. */
const SEVERITY = [6, 6, 5, 4, 3, 2];

export interface MessageOptions {
  readonly format: 'cef' | 'leef';
  readonly facility: number;
  readonly sender: string;
  readonly productVersion: string;
  readonly maxBytes: number;
}

/** Only printable ASCII may stand in the header (RFC 5424, 6). */
function token(text: string, most: number): string {
  const plain = text.replace(/[^!-~]/g, '').slice(0, most);
  return plain === '' ? '-' : plain;
}

/**
 * One message by RFC 5424, in UTF-8 and without a byte order mark, which readers of CEF stumble over. Its time is
 * that of the alert.
 */
export function syslogMessage({ row, type }: Delivery, options: MessageOptions): Buffer {
  const priority = options.facility * 8 + SEVERITY[row.severity_id]!;
  const origin = `[origin software="Wardwatch" swVersion="${token(options.productVersion, 32).replace(/["\\\]]/g, '')}"]`;
  const head = `<${priority}>1 ${new Date(row.time).toISOString()} ${token(options.sender, 255)} wardwatch - ${type} ${origin} `;
  const message = Buffer.from(head + (options.format === 'cef' ? toCef(row) : toLeef(row)));
  return message.length <= options.maxBytes ? message : cut(message, options.maxBytes);
}

/** Cuts between characters, and never between a backslash and what it escapes. */
function cut(message: Buffer, most: number): Buffer {
  let end = most;
  while (end > 0 && (message[end]! & 0xc0) === 0x80) end--;
  let backslashes = 0;
  while (message[end - 1 - backslashes] === 0x5c) backslashes++;
  return message.subarray(0, end - (backslashes % 2));
}

/** Octet counting (RFC 6587, 3.4.1; RFC 5425, 4.3): the length in front, so that a message may hold anything. */
export function octetCounted(messages: readonly Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => [Buffer.from(`${message.length} `), message]));
}
