/** What a person or program may do; each role may do all that those before it may. */
export const ROLES = ['viewer', 'analyst', 'engineer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}

/** Whether `role` may do what asks for `least`. */
export function mayAct(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** The lesser of two roles: a token never does more than whoever made it. */
export function lesserOf(a: Role, b: Role): Role {
  return mayAct(a, b) ? b : a;
}

/** What both allow; undefined stands for all VLANs. */
export function bothOf(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): readonly string[] | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : a.filter((vlan) => b.includes(vlan));
}
