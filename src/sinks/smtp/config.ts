import { Type } from 'typebox';
import type { Static } from 'typebox';
import { allowPart, endpointParts, tlsParts } from '../config.ts';

/** An address without a display name: nothing in it can end a header or begin another. */
const address = (description: string) =>
  Type.String({ pattern: '^[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$', description });

/** Configuration of an endpoint that is people who read e-mail. */
export const smtpConfigSchema = Type.Object(
  {
    kind: Type.Literal('smtp'),
    ...endpointParts,
    host: Type.String({ pattern: '^[^\\s/@]{1,253}$', description: 'Name or address of the mail server.' }),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65535, description: 'Port, in place of that of `security`.' }),
    ),
    security: Type.Union([Type.Literal('starttls'), Type.Literal('tls'), Type.Literal('none')], {
      default: 'starttls',
      description:
        'starttls (port 587; nothing is sent where the server does not offer it), tls (port 465), or none (port 25), ' +
        'which anybody on the way can read.',
    }),
    username: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'Account at the mail server.' })),
    password_file: Type.Optional(Type.String({ minLength: 1, description: 'File with its password.' })),
    password_env: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
        description: 'Variable of the environment with its password.',
      }),
    ),
    from: address('Address of the sender.'),
    to: Type.Array(address('Address of a reader.'), { minItems: 1, maxItems: 50, description: 'Who gets the mails.' }),
    digest_s: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 86_400,
      description: 'Alerts of this many seconds go into one mail; 0 is a mail for each alert.',
    }),
    batch: Type.Integer({ default: 50, minimum: 1, maximum: 500, description: 'Most alerts of one digest.' }),
    console_url: Type.Optional(
      Type.String({ pattern: '^https?://[^\\s"<>]{1,500}$', description: 'Where the console is, for links in mails.' }),
    ),
    timeout_s: Type.Number({ default: 30, minimum: 1, maximum: 300, description: 'Longest time of one attempt.' }),
    tls: Type.Optional(Type.Object(tlsParts, { additionalProperties: false, description: 'TLS to the mail server' })),
    ...allowPart,
  },
  { additionalProperties: false, description: 'E-mail' },
);
export type SmtpConfig = Static<typeof smtpConfigSchema>;
