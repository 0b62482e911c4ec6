/** Second-level labels under which others register: `hospital.co.uk` is one domain, `co.uk` is none. */
const SHARED = new Set([
  'ac',
  'co',
  'com',
  'edu',
  'gov',
  'gob',
  'gouv',
  'net',
  'nhs',
  'org',
  'or',
  'ne',
  'go',
  'mil',
  'sch',
]);
/** Top labels of private networks and of the protocol itself: nobody out there answers for them. */
const PRIVATE = new Set([
  'arpa',
  'local',
  'localdomain',
  'localhost',
  'lan',
  'home',
  'internal',
  'intranet',
  'corp',
  'private',
  'workgroup',
]);

/** What stands for names that end in no domain at all, as some tunnels send them straight to their server. */
export const NO_DOMAIN = '(no domain)';

/**
 * The domain somebody registered: the last two labels of a name, three below a shared second level. Undefined
 * for names of private networks and reverse look-ups.
 */
export function registeredDomain(name: string | undefined): string | undefined {
  if (name === undefined) return NO_DOMAIN;
  const labels = name.toLowerCase().split('.');
  const top = labels.at(-1) ?? '';
  if (PRIVATE.has(top)) return undefined;
  if (!/^([a-z]{2,18}|xn--[a-z0-9-]+)$/.test(top)) return NO_DOMAIN;
  if (labels.length < 2) return undefined;
  const second = labels.at(-2) ?? '';
  const n = top.length === 2 && SHARED.has(second) && labels.length > 2 ? 3 : 2;
  return labels.slice(-n).join('.');
}
