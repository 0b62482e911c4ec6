import { isIP } from 'node:net';

/** The host of a `Host` header (RFC 9110, section 7.2) in lower case without port, brackets or final dot. */
export function hostOf(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::\d{1,5})?$/i.exec(header);
  if (!match) return undefined;
  return (match[1] ?? match[2]!).toLowerCase().replace(/\.$/, '');
}

/**
 * Says whether a request's `Host` header may be served. DNS rebinding needs a name that the attacker
 * controls, so addresses and `localhost` are safe, and every other name has to be configured.
 */
export function createHostCheck(
  boundHost: string,
  allowedHosts: readonly string[],
): (header: string | undefined) => boolean {
  const names = new Set(['localhost', boundHost.toLowerCase(), ...allowedHosts.map((name) => name.toLowerCase())]);
  return (header) => {
    const host = header === undefined ? undefined : hostOf(header);
    return host !== undefined && (isIP(host) !== 0 || names.has(host));
  };
}
