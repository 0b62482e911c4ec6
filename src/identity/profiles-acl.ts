import type { Behaviour, ProfileSpec } from './profile-schema.ts';

export const ACL_FORMATS = ['nftables', 'cisco', 'json'] as const;
export type AclFormat = (typeof ACL_FORMATS)[number];

export interface AclInput {
  readonly profile: ProfileSpec;
  /** IPv4 addresses of the devices that the list is for. */
  readonly addresses: readonly string[];
  /** Known addresses of a class of partners; empty where the inventory has none. */
  addressesOf(cls: string): readonly string[];
  /** Drop what is not declared. Otherwise it is logged only: a list that is wrong cuts off no patient. */
  readonly deny: boolean;
}

/** One line of a declared behaviour: the server's port and who is on the other side. */
interface Line {
  readonly serves: boolean;
  readonly protocol: string;
  readonly transport: 'tcp' | 'udp';
  /** 0: any. */
  readonly port: number;
  readonly peer: string;
  readonly hosts: readonly string[];
}

/** The declared behaviour of a profile as an access list, IPv4. */
export function exportAcl(format: AclFormat, input: AclInput): string {
  const lines = (input.profile.behaviour ?? []).flatMap(linesOf);
  if (format === 'nftables') return nftables(input, lines);
  if (format === 'cisco') return cisco(input, lines);
  return json(input, lines);
}

function linesOf(behaviour: Behaviour): Line[] {
  return (behaviour.ports ?? ['tcp/any', 'udp/any']).flatMap((port) => {
    const [transport, number] = port.split('/') as ['tcp' | 'udp', string];
    const peers = behaviour.hosts !== undefined ? ['internet'] : (behaviour.peers ?? ['local']);
    return peers.map((peer) => ({
      serves: behaviour.does === 'serves',
      protocol: behaviour.protocol,
      transport,
      port: number === 'any' ? 0 : Number(number),
      peer,
      hosts: behaviour.hosts ?? [],
    }));
  });
}

/** `local`, `vendor` and `internet` are not told apart by address here: any. */
function isClass(peer: string): boolean {
  return peer !== 'local' && peer !== 'vendor' && peer !== 'internet';
}

function slug(profile: ProfileSpec): string {
  return profile.id.replaceAll(/[^a-z0-9]+/g, '_');
}

function elements(addresses: readonly string[]): string {
  return addresses.length === 0 ? '' : ` elements = { ${addresses.join(', ')} }`;
}

function nftables(input: AclInput, lines: readonly Line[]): string {
  const classes = [...new Set(lines.map((line) => line.peer).filter(isClass))].sort();
  const set = (peer: string): string => `class_${peer.replaceAll('-', '_')}`;
  const out = [
    `# ${input.profile.title} (${input.profile.id}), as declared. Sets without elements have to be filled.`,
    `table inet wardwatch_${slug(input.profile)} {`,
    `  set device { type ipv4_addr;${elements(input.addresses)} }`,
    ...classes.map((peer) => `  set ${set(peer)} { type ipv4_addr;${elements(input.addressesOf(peer))} }`),
    '  chain declared {',
    '    type filter hook forward priority filter; policy accept;',
    '    ct state established,related accept',
  ];
  for (const line of lines) {
    const port = line.port === 0 ? `meta l4proto ${line.transport}` : `${line.transport} dport ${line.port}`;
    const here = `ip ${line.serves ? 'daddr' : 'saddr'} @device`;
    const there = isClass(line.peer) ? ` ip ${line.serves ? 'saddr' : 'daddr'} @${set(line.peer)}` : '';
    const what = [line.protocol, isClass(line.peer) ? '' : line.peer, ...line.hosts].filter((w) => w !== '').join(' ');
    out.push(`    ${here}${there} ${port} accept comment "${what}"`);
  }
  const verdict = `counter log prefix "wardwatch undeclared: "${input.deny ? ' drop' : ''}`;
  out.push(`    ip saddr @device ${verdict}`, `    ip daddr @device ${verdict}`, '  }', '}', '');
  return out.join('\n');
}

function cisco(input: AclInput, lines: readonly Line[]): string {
  const name = `WARDWATCH-${input.profile.id.replaceAll(/[^a-z0-9]+/g, '-').toUpperCase()}`;
  const out = [`! ${input.profile.title} (${input.profile.id}), as declared.`];
  if (input.addresses.length === 0) out.push('! Put the address of the device in the place of 192.0.2.1.');
  const devices = input.addresses.length === 0 ? ['192.0.2.1'] : input.addresses;
  out.push(`ip access-list extended ${name}`);
  for (const line of lines) {
    const known = isClass(line.peer) ? input.addressesOf(line.peer) : [];
    const peers = known.length === 0 ? ['any'] : known.map((address) => `host ${address}`);
    out.push(` remark ${line.serves ? 'serves' : 'uses'} ${line.protocol}: ${[line.peer, ...line.hosts].join(' ')}`);
    const port = line.port === 0 ? '' : ` eq ${line.port}`;
    for (const device of devices)
      for (const peer of peers)
        // The list looks at what the device sends; answers of a TCP server are part of a connection.
        out.push(
          line.serves
            ? ` permit ${line.transport} host ${device}${port} ${peer}${line.transport === 'tcp' ? ' established' : ''}`
            : ` permit ${line.transport} host ${device} ${peer}${port}`,
        );
  }
  for (const device of devices) out.push(` ${input.deny ? 'deny' : 'permit'} ip host ${device} any log`);
  out.push(' permit ip any any', '!', '');
  return out.join('\n');
}

function json(input: AclInput, lines: readonly Line[]): string {
  return `${JSON.stringify(
    {
      profile: input.profile.id,
      addresses: input.addresses,
      rules: lines.map((line) => ({
        direction: line.serves ? 'to-device' : 'from-device',
        protocol: line.protocol,
        transport: line.transport,
        ...(line.port === 0 ? {} : { port: line.port }),
        peer: line.peer,
        ...(isClass(line.peer) ? { peer_addresses: input.addressesOf(line.peer) } : {}),
        ...(line.hosts.length === 0 ? {} : { hosts: line.hosts }),
      })),
      undeclared: input.deny ? 'drop' : 'log',
    },
    undefined,
    2,
  )}\n`;
}
