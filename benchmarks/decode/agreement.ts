/**
 * What the decoder makes of every capture at hand, beside what tshark makes of it, and which of the declared
 * observations and decode events the captures reach.
 *
 *   node benchmarks/decode/agreement.ts [--write]      prints; with --write also docs/reference/decoder-agreement.md
 *
 * The captures lie at ../shared/captures beside the repository (facts.json there holds tshark's reading), those that
 * other implementations made for this project in tests/fixtures/protocols. tshark names some protocols by port
 * alone: its reading is a second opinion, not the truth.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { basename, join } from 'node:path';
import { buildHotPath } from '../../src/app/build.ts';
import { loadConfig } from '../../src/config/index.ts';
import { dissectors } from '../../src/decode/app/registry.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { createFileSource } from '../../src/sources/index.ts';

const CAPTURES = fileURLToPath(new URL('../../../shared/captures', import.meta.url));
const FIXTURES = fileURLToPath(new URL('../../tests/fixtures/protocols', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/reference/decoder-agreement.md', import.meta.url));
const CAPTURE = /\.(pcap|pcapng|cap|trace)(\.gz|\.zst)?$/i;

/** tshark's names for what each dissector reads; a dissector that is not here has no counterpart in tshark 4.0. */
const IN_TSHARK: Readonly<Record<string, readonly string[]>> = {
  bacnet: ['bacnet'],
  cdp: ['cdp'],
  dce_rpc: ['dcerpc'],
  dhcp: ['dhcp'],
  dhcpv6: ['dhcpv6'],
  dicom: ['dicom'],
  dnp3: ['dnp3'],
  dns: ['dns'],
  enip: ['enip'],
  ftp: ['ftp'],
  hl7: ['hl7'],
  http: ['http'],
  iec104: ['iec60870_104'],
  krb: ['kerberos'],
  ldap: ['ldap', 'cldap'],
  lldp: ['lldp'],
  llmnr: ['llmnr'],
  mdns: ['mdns'],
  modbus: ['modbus'],
  mqtt: ['mqtt'],
  nbns: ['nbns'],
  ntp: ['ntp'],
  opcua: ['opcua'],
  quic: ['quic'],
  rdp: ['rdp'],
  rtsp: ['rtsp'],
  s7comm: ['s7comm'],
  sip: ['sip'],
  smb: ['smb', 'smb2'],
  snmp: ['snmp'],
  socks: ['socks'],
  ssdp: ['ssdp'],
  ssh: ['ssh'],
  syslog: ['syslog'],
  telnet: ['telnet'],
  tftp: ['tftp'],
  ssl: ['tls'],
  rfb: ['vnc'],
};

/** Why the two differ where they do: looked at capture by capture. */
const WHY: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL('agreement-notes.json', import.meta.url), 'utf8'),
) as Record<string, string>;

interface Seen {
  readonly services: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
  readonly events: ReadonlySet<string>;
}

const { config } = loadConfig({
  env: { WARDWATCH_HOTPATH__TRACK__MAX_FLOWS: '8192', WARDWATCH_HOTPATH__IDENTITY__MAX_DEVICES: '64' },
});

const knowledge = loadKnowledge(loadClasses());

async function read(file: string): Promise<Seen> {
  const services = new Set<string>();
  const kinds = new Set<string>();
  const { hotPath } = await buildHotPath({
    config,
    seed: 1,
    stage: 'all',
    knowledge,
    productVersion: '',
    output: {
      flow: (row) => {
        if (row.service !== undefined) services.add(row.service);
      },
      observation: (row) => {
        services.add(row.protocol);
        kinds.add(row.kind.includes('.') ? row.kind : `${row.protocol}.${row.kind}`);
      },
    },
  });
  for await (const batch of createFileSource(file).batches()) hotPath.process(batch);
  hotPath.finish();
  return { services, kinds, events: new Set(Object.keys(hotPath.counters().appEvents)) };
}

const filesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => CAPTURE.test(file))
        .sort()
    : [];

if (!existsSync(join(CAPTURES, 'facts.json'))) {
  console.error('The captures are missing: put them at ../shared/captures beside the repository.');
  process.exit(1);
}
const facts = JSON.parse(readFileSync(join(CAPTURES, 'facts.json'), 'utf8')) as {
  reader: string;
  captures: { file: string; protocols: Record<string, number> }[];
};
const tshark = new Map(facts.captures.map((c) => [c.file, new Set(Object.keys(c.protocols))]));

const kinds = new Set<string>();
const events = new Set<string>();
const counts = new Map(
  dissectors.map((d) => [d.name, { both: 0, tsharkOnly: [] as string[], oursOnly: [] as string[] }]),
);
const files = filesIn(CAPTURES);
for (const [at, file] of files.entries()) {
  if (at % 200 === 0) process.stderr.write(`${at} of ${files.length} captures\n`);
  const seen = await read(join(CAPTURES, file));
  for (const kind of seen.kinds) kinds.add(kind);
  for (const event of seen.events) events.add(event);
  const theirs = tshark.get(file);
  if (theirs === undefined) continue;
  for (const [name, count] of counts) {
    const names = IN_TSHARK[name];
    if (names === undefined) continue;
    const our = seen.services.has(name);
    const their = names.some((n) => theirs.has(n));
    if (our && their) count.both++;
    else if (their) count.tsharkOnly.push(file);
    else if (our) count.oursOnly.push(file);
  }
}
const ofCaptures = { kinds: new Set(kinds), events: new Set(events) };
const fixtures = filesIn(FIXTURES);
for (const file of fixtures) {
  const seen = await read(join(FIXTURES, file));
  for (const kind of seen.kinds) kinds.add(kind);
  for (const event of seen.events) events.add(event);
}

const declaredKinds = [...new Set(dissectors.flatMap((d) => d.observations.map((o) => o.kind)))];
const declaredEvents = [...new Set(dissectors.flatMap((d) => [...d.events]))];
const missing = (declared: readonly string[], seen: ReadonlySet<string>): string[] =>
  declared.filter((name) => !seen.has(name)).sort();

const lines: string[] = [];
const say = (line = ''): void => void lines.push(line);
say('# What the decoder reads, beside tshark');
say();
say(`Written by \`node benchmarks/decode/agreement.ts --write\` over ${tshark.size} captures that others published`);
say(`(${facts.reader}) and ${fixtures.length} that other implementations made for this project`);
say('([how](../../tests/fixtures/protocols/README.md)). tshark names some protocols by port alone, and the decoder');
say('reads by content alone: where they differ, neither is right by itself. The last column says what was found.');
say();
say('| protocol | captures in which tshark sees it | agree | tshark alone | Wardwatch alone | what differs and why |');
say('| --- | ---: | ---: | ---: | ---: | --- |');
for (const [name, count] of counts) {
  if (IN_TSHARK[name] === undefined) {
    say(`| ${name} | no dissector in tshark | | | | ${WHY[name] ?? ''} |`);
    continue;
  }
  const total = count.both + count.tsharkOnly.length;
  const cells = [name, total, count.both, count.tsharkOnly.length, count.oursOnly.length, WHY[name] ?? ''];
  say(`| ${cells.join(' | ')} |`);
}
say();
say('## Declared and reached');
say();
const row = (what: string, declared: readonly string[], own: ReadonlySet<string>, all: ReadonlySet<string>): void => {
  const reached = declared.length - missing(declared, all).length;
  say(`- ${what}: ${reached} of ${declared.length} reached, ${declared.length - missing(declared, own).length} by the`);
  say('  published captures alone.');
  const rest = missing(declared, all);
  if (rest.length > 0) say(`  Not reached: ${rest.map((name) => `\`${name}\``).join(', ')}.`);
};
row('observations', declaredKinds, ofCaptures.kinds, kinds);
row('decode events', declaredEvents, ofCaptures.events, events);
say();
say('Events that no capture reaches are reached by the tests of their dissector with bytes made for it.');

const page = `${lines.join('\n')}\n`;
process.stdout.write(page);
for (const [name, count] of counts) {
  for (const file of count.tsharkOnly) process.stderr.write(`tshark alone: ${name} ${file}\n`);
  for (const file of count.oursOnly) process.stderr.write(`ours alone: ${name} ${file}\n`);
}
if (process.argv.includes('--write')) {
  writeFileSync(PAGE, page);
  process.stderr.write(`written: docs/reference/${basename(PAGE)} (run \`npm run format\`)\n`);
}
