import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';

const section = { additionalProperties: false, default: {} };
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema);
const name = { minLength: 1, maxLength: 200 };
const groups = (role: string) =>
  Type.Array(Type.String(name), { default: [], maxItems: 100, description: `Groups whose members are ${role}.` });

const oidcSchema = Type.Object(
  {
    issuer: Type.String({ ...name, description: 'Address of the provider, as its discovery document names it.' }),
    client_id: Type.String({ ...name, description: 'Id of Wardwatch at the provider.' }),
    client_secret_file: optional(Type.String({ ...name, description: 'File that holds the secret of the client.' })),
    client_secret_env: optional(
      Type.String({ ...name, description: 'Environment variable that holds the secret of the client.' }),
    ),
    public_url: Type.String({
      pattern: '^https?://[^/?#\\s]+/?$',
      description:
        'Address of the console as browsers see it. The provider has to know it with /api/v1/oidc/callback behind it.',
    }),
    label: Type.String({
      default: 'single sign-on',
      ...name,
      description: 'What the button of the sign-in page says.',
    }),
    scope: Type.String({ default: 'openid profile email', ...name, description: 'Scopes that are asked for.' }),
    name_claim: Type.String({ default: 'preferred_username', ...name, description: 'Claim that names the user.' }),
    groups_claim: Type.String({ default: 'groups', ...name, description: 'Claim that lists the groups of the user.' }),
    vlans_claim: optional(
      Type.String({ ...name, description: 'Claim that lists the VLANs that the user may see; without it all.' }),
    ),
    roles: Type.Object(
      {
        viewer: groups('viewers'),
        analyst: groups('analysts'),
        engineer: groups('engineers'),
        admin: groups('admins'),
      },
      { ...section, description: 'Roles by group; the highest counts, and whoever is in none is refused' },
    ),
    insecure_http: Type.Boolean({
      default: false,
      description: 'Accept a provider without TLS. Only for a provider on this machine.',
    }),
  },
  { additionalProperties: false, description: 'Sign-in by OpenID Connect' },
);
export type OidcConfig = Static<typeof oidcSchema>;

/** Configuration of people and access. */
export const accessConfigSchema = Type.Object(
  {
    sign_in: Type.Union([Type.Literal('required'), Type.Literal('off')], {
      default: 'required',
      description: '`off` makes everybody who reaches the console an admin: accepted only while api.host is loopback.',
    }),
    second_factor: Type.Union([Type.Literal('optional'), Type.Literal('admins'), Type.Literal('everyone')], {
      default: 'optional',
      description: 'Which local users must have a one-time code (TOTP) beside the password.',
    }),
    password_length: Type.Integer({
      default: 15,
      minimum: 8,
      maximum: 64,
      description: 'Least length of a password. NIST SP 800-63B asks for 15, or 8 where everybody has a second factor.',
    }),
    idle_minutes: Type.Number({
      default: 30,
      minimum: 1,
      maximum: 1440,
      description: 'A session ends after so long without a request that a person made.',
    }),
    session_hours: Type.Number({
      default: 12,
      minimum: 0.1,
      maximum: 720,
      description: 'A session ends after so long, whatever happens in it.',
    }),
    failures: Type.Integer({
      default: 5,
      minimum: 2,
      maximum: 100,
      description: 'Wrong sign-ins in a row of an account before it has to wait; of an address six times as many.',
    }),
    wait_seconds: Type.Number({
      default: 30,
      minimum: 1,
      maximum: 3600,
      description: 'First wait after too many wrong sign-ins; each further one doubles it.',
    }),
    longest_wait_minutes: Type.Number({
      default: 15,
      minimum: 1,
      maximum: 1440,
      description: 'Longest wait. It ends by itself, so that nobody can shut an admin out for good.',
    }),
    sites: Type.Array(
      Type.Object(
        {
          name: Type.String(name),
          vlans: Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 4096 }),
        },
        { additionalProperties: false },
      ),
      { default: [], maxItems: 500, description: 'Names for groups of VLANs, to limit what a user sees by them.' },
    ),
    audit_key_file: optional(
      Type.String({
        ...name,
        description:
          'File with a key of at least 32 characters for the chain of the audit log. Without it whoever may write the ' +
          'database can write the whole chain anew.',
      }),
    ),
    oidc: optional(oidcSchema),
  },
  { ...section, description: 'People and access: sign-in, roles, audit log' },
);
export type AccessConfig = Static<typeof accessConfigSchema>;
