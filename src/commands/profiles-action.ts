import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { loadClasses } from '../identity/classes.ts';
import { Knowledge } from '../identity/knowledge.ts';
import { exportAcl } from '../identity/profiles-acl.ts';
import type { AclFormat } from '../identity/profiles-acl.ts';
import { exportMud, importMud } from '../identity/profiles-mud.ts';
import { testProfile } from '../identity/profiles-test.ts';
import { checkProfile, loadPlatforms, loadProfiles, loadVendors } from '../identity/profiles.ts';
import type { ProfileProblem } from '../identity/profiles.ts';
import type { ProfileSpec } from '../identity/profile-schema.ts';
import { createVendors } from '../identity/vendors.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { tame } from '../lib/tame.ts';
import type { ExportOptions, ImportOptions, ListOptions } from './profiles.ts';

/** What of a line of devices.ndjson (OCSF 5001) is used. */
interface DeviceLine {
  device: { uid?: string; mac?: string; ip?: string; hostname?: string; type?: string };
  unmapped?: { fields?: Record<string, { value: string }> };
}

export function listProfiles(options: ListOptions): void {
  const { profiles } = loadProfiles(new Set(loadClasses().keys()));
  const wanted = profiles.filter((profile) => options.class === undefined || profile.class === options.class);
  if (options.json === true) {
    for (const profile of wanted) process.stdout.write(`${JSON.stringify(profile)}\n`);
    return;
  }
  const width = Math.max(2, ...wanted.map((profile) => profile.id.length));
  for (const profile of wanted)
    process.stdout.write(
      `${profile.id.padEnd(width)}  ${profile.verified ? '          ' : 'unverified'}  ${profile.title}\n`,
    );
}

export function checkProfiles(dir: string | undefined): void {
  const { profiles, problems } = loadProfiles(new Set(loadClasses().keys()), dir);
  show(problems);
  if (problems.length > 0)
    throw new WardwatchError(
      'WW_PROFILE',
      `${problems.length} problems; ${profiles.length} profiles are right`,
      'put the lines above right; docs/reference/profiles.md lists every field',
    );
  process.stdout.write(`${profiles.length} profiles are right\n`);
}

export function testProfiles(dir: string | undefined): void {
  const classes = loadClasses();
  const names = new Set(classes.keys());
  const shipped = loadProfiles(names);
  const own = dir === undefined ? undefined : loadProfiles(names, dir);
  show([...shipped.problems, ...(own?.problems ?? [])]);
  // Beside those of Wardwatch, for a profile has to stand out from them; one of the same id takes its place.
  const ids = new Set(own?.profiles.map((profile) => profile.id));
  const all = [...shipped.profiles.filter((profile) => !ids.has(profile.id)), ...(own?.profiles ?? [])];
  const knowledge = new Knowledge(all, loadPlatforms(), createVendors(loadVendors()), classes);
  const tested = own?.profiles ?? shipped.profiles;
  const failures = tested.flatMap((profile) => testProfile(profile, knowledge));
  for (const failure of failures) process.stdout.write(`${failure.profile}: tests.${failure.part}: ${failure.text}\n`);
  const problems = (own ?? shipped).problems.length;
  if (failures.length > 0 || problems > 0)
    throw new WardwatchError(
      'WW_PROFILE',
      `${failures.length} tests of ${tested.length} profiles failed`,
      'change the weights or the tests of the profiles named above',
    );
  process.stdout.write(`${tested.length} profiles are known by what they declare\n`);
}

export function importProfile(file: string, options: ImportOptions): void {
  const document = readJson(file);
  const mud = importMud(document);
  const classes = new Set(loadClasses().keys());
  if (!classes.has(options.class)) {
    const meant = nearest(options.class, [...classes]);
    throw new WardwatchError(
      'WW_USAGE',
      `${tame(options.class, 60)} is no class of devices`,
      meant === undefined ? 'see profiles/classes.json' : `did you mean ${meant}?`,
    );
  }
  const name = `${mud.vendor} ${mud.model === '' ? mud.title : mud.model}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  const url = tame(mud.mudUrl, 128);
  const profile = {
    id: `${options.class}/${name === '' ? 'imported' : name}`,
    class: options.class,
    title: tame(mud.title, 120).length >= 3 ? tame(mud.title, 120) : 'Imported from a MUD file',
    ...(mud.vendor.length < 2 ? {} : { vendor: tame(mud.vendor, 60) }),
    ...(mud.model === '' ? {} : { model: tame(mud.model, 80) }),
    verified: true,
    match: [
      { source: 'dhcp.mud_url', glob: [mud.mudUrl.length > 127 ? `${mud.mudUrl.slice(0, 126)}*` : url], weight: 0.95 },
    ],
    behaviour: mud.behaviour.slice(0, 48),
    response: 'Ask the maker what may be blocked while the device is in use; nothing is known of that yet.',
    references: [{ title: 'MUD file of the maker', ...(/^https:\/\/\S+$/.test(url) ? { url } : {}) }],
    tests: {
      match: [{ source: 'dhcp.mud_url', value: url }],
      near_miss: [{ source: 'dhcp.mud_url', value: 'https://mud.invalid/another.json' }],
    },
  };
  const yaml = stringify(profile, { lineWidth: 0, aliasDuplicateObjects: false });
  const notes = [...mud.notes];
  if (mud.behaviour.length > 48)
    notes.push(`${mud.behaviour.length - 48} behaviours were left out: a profile holds 48`);
  const checked = checkProfile(yaml, `${profile.id}.yaml`, classes);
  for (const problem of checked.problems) notes.push(problem.text);
  for (const note of notes) process.stderr.write(`wardwatch: note: ${tame(note)}\n`);
  process.stdout.write(yaml);
}

export function exportProfile(target: string, options: ExportOptions): void {
  if ((options.mud === true) === (options.acl !== undefined))
    throw new WardwatchError('WW_USAGE', 'say what to write', 'use --mud or --acl nftables|cisco|json');
  const { profiles } = loadProfiles(new Set(loadClasses().keys()));
  const devices = options.devices === undefined ? [] : readDevices(options.devices);
  const { profile, addresses } = find(target, profiles, devices);
  if ((profile.behaviour ?? []).length === 0)
    throw new WardwatchError(
      'WW_PROFILE',
      `${profile.id} declares no behaviour`,
      'add `behaviour` to the profile, or export another one',
    );
  if (options.mud === true) {
    const mud = exportMud(profile, {
      mudUrl: options.mudUrl ?? `https://mud.invalid/${profile.id}.json`,
      lastUpdate: options.lastUpdate ?? new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    });
    process.stdout.write(`${JSON.stringify(mud, undefined, 2)}\n`);
    return;
  }
  process.stdout.write(
    exportAcl(options.acl as AclFormat, {
      profile,
      addresses,
      addressesOf: (cls) =>
        [...new Set(devices.filter((line) => line.device.type === cls).flatMap((line) => ipv4(line.device.ip)))].sort(),
      deny: options.deny === true,
    }),
  );
}

function find(
  target: string,
  profiles: readonly ProfileSpec[],
  devices: readonly DeviceLine[],
): { profile: ProfileSpec; addresses: string[] } {
  const named = profiles.find((profile) => profile.id === target);
  if (named !== undefined)
    return {
      profile: named,
      addresses: devices
        .filter((line) => line.unmapped?.fields?.['profile']?.value === named.id)
        .flatMap((line) => ipv4(line.device.ip)),
    };
  const device = devices.find(({ device: d }) =>
    [d.uid, d.mac, d.ip, d.hostname].some((name) => name !== undefined && name.toLowerCase() === target.toLowerCase()),
  );
  if (device !== undefined) {
    const id = device.unmapped?.fields?.['profile']?.value;
    const profile = profiles.find((one) => one.id === id);
    if (profile !== undefined) return { profile, addresses: ipv4(device.device.ip) };
    throw new WardwatchError(
      'WW_PROFILE',
      `no profile is known for ${tame(target, 80)}`,
      'write one: see docs/how-to/add-a-profile.md',
    );
  }
  const meant = nearest(
    target,
    profiles.map((profile) => profile.id),
  );
  throw new WardwatchError(
    'WW_USAGE',
    `${tame(target, 80)} is no profile${devices.length > 0 ? ' and no device of the file' : ''}`,
    meant === undefined ? 'see `wardwatch profiles list`' : `did you mean ${meant}?`,
  );
}

function ipv4(ip: string | undefined): string[] {
  return ip !== undefined && /^\d{1,3}(\.\d{1,3}){3}$/.test(ip) ? [ip] : [];
}

function readDevices(file: string): DeviceLine[] {
  const lines: DeviceLine[] = [];
  for (const [index, line] of read(file).split('\n').entries()) {
    if (line.trim() === '') continue;
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch (error) {
      throw new WardwatchError(
        'WW_USAGE',
        `${file}:${index + 1}: is no JSON: ${describeError(error)}`,
        'give the devices.ndjson of a replay',
      );
    }
    if (typeof parsed === 'object' && parsed !== null && 'device' in parsed) lines.push(parsed as DeviceLine);
  }
  return lines;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(read(file));
  } catch (error) {
    if (error instanceof WardwatchError) throw error;
    throw new WardwatchError(
      'WW_PROFILE',
      `${file} is no JSON: ${describeError(error)}`,
      'give a MUD file (RFC 8520)',
      {
        cause: error,
      },
    );
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new WardwatchError('WW_INPUT_MISSING', `${file} cannot be read: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
}

function show(problems: readonly ProfileProblem[]): void {
  for (const problem of problems) process.stdout.write(`${problem.file}:${problem.line}: ${problem.text}\n`);
}
