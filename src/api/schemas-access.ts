import { Type } from 'typebox';
import type { Static } from 'typebox';

const text = (maxLength: number, description?: string) =>
  Type.String({ maxLength, ...(description === undefined ? {} : { description }) });
const closed = { additionalProperties: false };
const nullableTime = Type.Union([Type.Integer(), Type.Null()]);
const time = Type.Integer({ description: 'Epoch milliseconds.' });

const roleSchema = Type.Union([
  Type.Literal('viewer'),
  Type.Literal('analyst'),
  Type.Literal('engineer'),
  Type.Literal('admin'),
]);
const vlansSchema = Type.Union([Type.Array(text(64), { maxItems: 4096 }), Type.Null()], {
  description: 'VLANs that may be seen; null for all.',
});
const sitesSchema = Type.Union([Type.Array(text(200), { maxItems: 500 }), Type.Null()], {
  description: 'Sites (access.sites) that may be seen; null for none named.',
});
const passwordSchema = text(1024);

/** What the console has to know before anybody has signed in, and who has. */
export const sessionSchema = Type.Object(
  {
    sign_in: Type.Union([Type.Literal('required'), Type.Literal('off')]),
    user: Type.Union([
      Type.Object({
        name: Type.String(),
        role: roleSchema,
        source: Type.Union([Type.Literal('local'), Type.Literal('oidc'), Type.Literal('open')]),
        vlans: vlansSchema,
        second_factor: Type.Boolean(),
        pending: Type.Union([Type.Literal('password'), Type.Literal('second-factor'), Type.Null()]),
      }),
      Type.Null(),
    ]),
    first_admin: Type.Boolean({ description: 'There is no admin yet: the code on the terminal makes one.' }),
    single_sign_on: Type.Union([Type.String(), Type.Null()], { description: 'What its button says; null without.' }),
    password_length: Type.Integer(),
  },
  { title: 'Session' },
);
export type SessionInfo = Static<typeof sessionSchema>;

export const signInSchema = Type.Object(
  {
    name: text(200),
    password: passwordSchema,
    code: Type.Optional(text(64, 'One-time code or recovery code, where the user has a second factor.')),
  },
  closed,
);
export const firstAdminSchema = Type.Object({ code: text(64), name: text(64), password: passwordSchema }, closed);
export const newPasswordSchema = Type.Object({ current: passwordSchema, next: passwordSchema }, closed);
export const confirmSchema = Type.Object({ password: passwordSchema }, closed);
export const codeSchema = Type.Object({ code: text(64) }, closed);
export const totpSchema = Type.Object({ secret: Type.String(), uri: Type.String() }, { title: 'OfferedSecondFactor' });
export const recoveryCodesSchema = Type.Object({ codes: Type.Array(Type.String()) }, { title: 'RecoveryCodes' });

export const sessionListSchema = Type.Object({
  rows: Type.Array(
    Type.Object({
      id: Type.Integer(),
      current: Type.Boolean(),
      created: time,
      seen: time,
      address: Type.String(),
      agent: Type.String(),
    }),
  ),
  recovery_codes: Type.Integer({ description: 'Recovery codes that are left.' }),
});
export type SessionList = Static<typeof sessionListSchema>;

const tokenSchema = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    user: Type.String(),
    role: roleSchema,
    vlans: vlansSchema,
    created: time,
    expires: time,
    seen: nullableTime,
  },
  { title: 'Token' },
);
export const tokenListSchema = Type.Object({ rows: Type.Array(tokenSchema) });
export type TokenList = Static<typeof tokenListSchema>;
export const newTokenSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$' }),
    role: roleSchema,
    vlans: Type.Optional(vlansSchema),
    days: Type.Integer({ minimum: 1, maximum: 366 }),
  },
  closed,
);
export const madeTokenSchema = Type.Object({
  secret: Type.String({ description: 'Shown this once.' }),
  token: tokenSchema,
});
export type MadeToken = Static<typeof madeTokenSchema>;

const userSchema = Type.Object(
  {
    name: Type.String(),
    role: roleSchema,
    source: Type.Union([Type.Literal('local'), Type.Literal('oidc')]),
    disabled: Type.Boolean(),
    must_change: Type.Boolean(),
    second_factor: Type.Boolean(),
    vlans: vlansSchema,
    sites: sitesSchema,
    created: time,
    signed_in: nullableTime,
  },
  { title: 'User' },
);
export const userListSchema = Type.Object({ rows: Type.Array(userSchema), sites: Type.Array(Type.String()) });
export type UserList = Static<typeof userListSchema>;
export const newUserSchema = Type.Object(
  { name: text(64), role: roleSchema, vlans: Type.Optional(vlansSchema), sites: Type.Optional(sitesSchema) },
  closed,
);
export const userChangeSchema = Type.Object(
  {
    role: Type.Optional(roleSchema),
    disabled: Type.Optional(Type.Boolean()),
    vlans: Type.Optional(vlansSchema),
    sites: Type.Optional(sitesSchema),
  },
  closed,
);
export const oncePasswordSchema = Type.Object({
  name: Type.String(),
  password: Type.String({ description: 'For one sign-in; shown this once.' }),
});
export type OncePassword = Static<typeof oncePasswordSchema>;
export const nameParamsSchema = Type.Object({ name: text(64) }, closed);
export const idParamsSchema = Type.Object({ id: Type.Integer({ minimum: 1 }) }, closed);

const outcomeSchema = Type.Union([Type.Literal('done'), Type.Literal('refused'), Type.Literal('failed')]);
export const auditQuerySchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
    before: Type.Optional(Type.Integer({ minimum: 1, description: 'Entries older than this one.' })),
    who: Type.Optional(text(200)),
    act: Type.Optional(text(200)),
    outcome: Type.Optional(outcomeSchema),
  },
  closed,
);
export const auditPageSchema = Type.Object({
  rows: Type.Array(
    Type.Object(
      {
        seq: Type.Integer(),
        at: time,
        who: Type.String(),
        act: Type.String(),
        object: Type.String(),
        outcome: outcomeSchema,
        detail: Type.String(),
        address: Type.String(),
      },
      { title: 'AuditEntry' },
    ),
  ),
  next: Type.Union([Type.Integer(), Type.Null()]),
});
export type AuditPage = Static<typeof auditPageSchema>;
export const auditVerdictSchema = Type.Object(
  {
    ok: Type.Boolean(),
    entries: Type.Integer({ description: 'Entries that are right, from the first on.' }),
    head: Type.String({ description: 'Hash of the last of them. Write it down elsewhere to notice an exchanged log.' }),
    keyed: Type.Boolean({ description: 'Whether a key (access.audit_key_file) protects the chain.' }),
    fault: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'AuditVerdict' },
);
export type AuditVerdictInfo = Static<typeof auditVerdictSchema>;
