import { Type } from 'typebox';
import type { Static } from 'typebox';
import { allowPart, endpointParts, tlsParts } from '../config.ts';

const file = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));
const variable = Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' });

/** Configuration of an endpoint that is posted to. */
export const webhookConfigSchema = Type.Object(
  {
    kind: Type.Literal('webhook'),
    ...endpointParts,
    url: Type.String({
      pattern: '^https?://[^\\s@]+$',
      maxLength: 2048,
      description: 'Where to post. Redirects are not followed.',
    }),
    template: Type.Union(
      [Type.Literal('standard'), Type.Literal('splunk_hec'), Type.Literal('elasticsearch'), Type.Literal('sentinel')],
      {
        default: 'standard',
        description:
          '`standard`: Standard Webhooks, signed. `splunk_hec`: HTTP Event Collector. `elasticsearch`: _bulk. ' +
          '`sentinel`: a JSON array with TimeGenerated.',
      },
    ),
    format: Type.Union([Type.Literal('ocsf'), Type.Literal('ecs'), Type.Literal('wardwatch')], {
      default: 'ocsf',
      description: 'Form of the alert in the body.',
    }),
    secret_files: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      maxItems: 8,
      description:
        'Files that hold one signing secret each (`whsec_…`, or `whsk_…` for Ed25519). All of them sign: list the ' +
        'old and the new one while the receiver changes over.',
    }),
    secret_env: Type.Array(variable, {
      default: [],
      maxItems: 8,
      description: 'Names of variables that hold one signing secret each.',
    }),
    authorization_file: file('File with the value of the header Authorization, such as `Splunk …` or `ApiKey …`.'),
    authorization_env: Type.Optional({
      ...variable,
      description: 'Name of the variable with the value of the header Authorization.',
    }),
    batch: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 100,
      description: 'Most alerts of one request. Above 1 the body of `standard` is a list.',
    }),
    concurrency: Type.Integer({ default: 4, minimum: 1, maximum: 32, description: 'Most requests at the same time.' }),
    timeout_s: Type.Number({ default: 15, minimum: 1, maximum: 120, description: 'Longest time of one request.' }),
    insecure_http: Type.Boolean({
      default: false,
      description: 'Allow an `http:` address: alerts and the header Authorization then travel unprotected.',
    }),
    tls: Type.Optional(Type.Object(tlsParts, { additionalProperties: false, description: 'TLS to the receiver' })),
    ...allowPart,
  },
  { additionalProperties: false, description: 'Webhook' },
);
export type WebhookConfig = Static<typeof webhookConfigSchema>;
