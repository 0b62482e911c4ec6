import { Type } from 'typebox';

const strings = (description: string) =>
  Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { minItems: 1, maxItems: 200, description }));

const path = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

/** What every endpoint has, whatever it is. */
export const endpointParts = {
  name: Type.String({
    pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
    description: 'Name of the endpoint, in lower case. What waits for it is kept under this name: do not reuse it.',
  }),
  filter: Type.Object(
    {
      severity_at_least: Type.Integer({
        default: 1,
        minimum: 1,
        maximum: 5,
        description: '1 informational to 5 critical.',
      }),
      classes: strings('Only alerts about devices of these types.'),
      detectors: strings('Only alerts to which one of these detectors contributed.'),
      vlans: strings('Only alerts of these VLANs, as written in alerts; an empty text is untagged.'),
      muted: Type.Boolean({
        default: false,
        description: 'Also alerts that a rule mutes. They say so: status Suppressed in OCSF.',
      }),
    },
    { additionalProperties: false, default: {}, description: 'Which alerts go there' },
  ),
};

/** Where a connection may lead; in place of the list for all endpoints. */
export const allowPart = {
  allow: Type.Optional(
    Type.Array(Type.String({ pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$' }), {
      maxItems: 256,
      description: 'Address ranges to which this endpoint may lead, in place of delivery.allow.',
    }),
  ),
};

/** How a TLS connection is verified, and what is shown. */
export const tlsParts = {
  ca: path('File with the certificates (PEM) that sign the certificate of the receiver, in place of the usual ones.'),
  cert: path('File with the certificate (PEM) to show to the receiver.'),
  key: path('File with the private key (PEM) of that certificate.'),
};

export interface TlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}
