import type { RiskPart } from '../kernel/rows.ts';
import type { Channel } from './channels.ts';
import type { KnownClass } from './classes.ts';

/**
 * The risk of a device, after ISO 14971: how bad would the harm be, and how likely is it that somebody gets to
 * do it over the network. Every number stands in the tables here; docs/explanation/risk.md is written from them.
 */

/** Points of severity by the worst harm of a fault of the device class or profile (words of ISO 14971 annexes). */
export const HARM_POINTS: Readonly<Record<string, number>> = {
  negligible: 10,
  minor: 25,
  moderate: 50,
  serious: 75,
  critical: 100,
};

/** Least points of severity that a fact alone gives. */
export const SEVERITY_FLOORS = {
  lifeSupporting: { points: 75, because: 'supports life' },
  iec62304C: { points: 100, because: 'software safety class C of IEC 62304: death or serious injury is possible' },
  iec62304B: { points: 50, because: 'software safety class B of IEC 62304: injury is possible' },
  phi: { points: 40, because: 'handles data of patients' },
  infrastructure: { points: 50, because: 'others depend on it' },
} as const;

/** What is assumed of a device whose class is not known: it may be anything. */
export const UNKNOWN_SEVERITY = 50;

/** Points of likelihood that every device starts with. */
export const BASE_LIKELIHOOD = 10;

/** Services in which whoever listens can read or take over: points for each, once, where the device offers or uses it. */
export const WEAK_SERVICES: Readonly<Record<string, { points: number; because: string }>> = {
  telnet: { points: 15, because: 'Telnet: passwords and commands in clear' },
  ftp: { points: 8, because: 'FTP: passwords in clear' },
  tftp: { points: 6, because: 'TFTP: files without a sign-in' },
  rfb: { points: 10, because: 'VNC: screen and keys, mostly in clear' },
  rdp: { points: 5, because: 'RDP: remote control' },
  contec: { points: 15, because: 'Contec monitor protocol: data of patients in clear to a fixed address' },
  hl7: { points: 6, because: 'HL7 in clear: data of patients, no proof of the sender' },
  dicom: { points: 6, because: 'DICOM in clear: data of patients, no proof of the sender' },
  astm: { points: 5, because: 'ASTM in clear: results of patients' },
  poct1a: { points: 5, because: 'POCT1-A in clear: results of patients' },
  intellivue: { points: 4, because: 'IntelliVue data export: vital signs without a sign-in' },
  modbus: { points: 8, because: 'Modbus: commands without a sign-in' },
  s7comm: { points: 8, because: 'S7: commands without a sign-in' },
  bacnet: { points: 5, because: 'BACnet: commands without a sign-in' },
  mqtt: { points: 4, because: 'MQTT in clear' },
  ldap: { points: 3, because: 'LDAP in clear' },
};
/** SMB of dialect 1 (deprecated by Microsoft in 2013; EternalBlue, MS17-010). */
export const SMB1 = { command: 'smb.negotiate 1', points: 15, because: 'SMB 1' } as const;
export const MAX_WEAK = 30;

/** Each service offered to others, and each peer that comes to it. */
export const EXPOSURE = { perService: 2, perPeer: 0.5, max: 15 } as const;

export const EXTERNAL = { any: 6, perPeer: 2, max: 16, incoming: 25 } as const;

/** Points for the worst alert of the last days, by severity_id. */
export const ALERT_POINTS: Readonly<Record<number, number>> = { 1: 0, 2: 5, 3: 20, 4: 30, 5: 40 };
export const ALERT_DAYS = 7;

/**
 * Operating systems without security updates, by day of the end of (extended) support: Microsoft Lifecycle.
 * The decided field `os_version` must hold one of the words, where there are any.
 */
export const OLD_SYSTEMS: readonly { os: string; version: readonly string[]; ended: string }[] = [
  { os: 'Windows', version: ['2000', '5.0'], ended: '2010-07-13' },
  { os: 'Windows', version: ['xp', '5.1'], ended: '2014-04-08' },
  { os: 'Windows', version: ['server 2003', '5.2'], ended: '2015-07-14' },
  { os: 'Windows', version: ['vista', 'server 2008'], ended: '2020-01-14' },
  { os: 'Windows', version: ['7', '6.1', '2008 r2'], ended: '2020-01-14' },
  { os: 'Windows', version: ['8.1', 'server 2012', '6.2', '6.3'], ended: '2023-10-10' },
  { os: 'Windows CE', version: [], ended: '2018-10-09' },
];
export const OLD_SYSTEM_POINTS = 25;

/** Points of a device of unknown class: nobody has taken care of what nobody knows. */
export const UNKNOWN_POINTS = 8;

/** Least score of each level (OCSF risk_level_id 0 to 4). */
export const LEVELS: readonly { id: number; name: string; from: number }[] = [
  { id: 4, name: 'critical', from: 60 },
  { id: 3, name: 'high', from: 40 },
  { id: 2, name: 'medium', from: 20 },
  { id: 1, name: 'low', from: 8 },
  { id: 0, name: 'info', from: 0 },
];

/** What the matched profile declares of what a fault may lead to. */
export interface Criticality {
  readonly life_supporting?: boolean | undefined;
  readonly harm?: string | undefined;
  readonly iec62304?: 'A' | 'B' | 'C' | undefined;
}

export interface RiskFacts {
  readonly known: KnownClass | undefined;
  readonly criticality: Criticality | undefined;
  readonly os: string;
  readonly osVersion: string;
  readonly channels: Iterable<Pick<Channel, 'service' | 'isClient' | 'peerKind' | 'peer' | 'port' | 'commands'>>;
  /** Highest severity of the alerts of the last {@link ALERT_DAYS} days, 0 without any. */
  readonly alertSeverity: number;
  readonly nowUs: number;
}

export interface Risk {
  /** 0 to 100: severity × likelihood / 100. */
  readonly score: number;
  readonly level: number;
  readonly parts: RiskPart[];
}

export function assessRisk(facts: RiskFacts): Risk {
  const parts: RiskPart[] = [];
  const severity = Math.max(0, ...severityParts(facts, parts));
  const before = parts.length;
  likelihoodParts(facts, parts);
  let likelihood = 0;
  for (let i = before; i < parts.length; i++) likelihood += parts[i]!.points;
  likelihood = Math.min(100, likelihood);
  const score = Math.round((severity * likelihood) / 100);
  return { score, level: LEVELS.find((level) => score >= level.from)!.id, parts };
}

/** The highest of these counts. */
function severityParts(facts: RiskFacts, parts: RiskPart[]): number[] {
  const points: number[] = [];
  const say = (part: string, of: number, because: string): void => {
    points.push(of);
    parts.push({ of: 'severity', part, points: of, because });
  };
  const { known, criticality } = facts;
  const harm = criticality?.harm ?? known?.harm;
  if (known === undefined || known.id === 'unknown')
    say('class', UNKNOWN_SEVERITY, 'its class is not known: it may be anything');
  else
    say(
      'harm',
      HARM_POINTS[harm ?? ''] ?? HARM_POINTS['minor']!,
      `a fault of this ${criticality?.harm === undefined ? 'class' : 'model'} may lead to ${harm ?? 'minor'} harm`,
    );
  if (criticality?.life_supporting ?? known?.lifeSupporting ?? false)
    say('life-support', SEVERITY_FLOORS.lifeSupporting.points, SEVERITY_FLOORS.lifeSupporting.because);
  if (criticality?.iec62304 === 'C')
    say('iec62304', SEVERITY_FLOORS.iec62304C.points, SEVERITY_FLOORS.iec62304C.because);
  if (criticality?.iec62304 === 'B')
    say('iec62304', SEVERITY_FLOORS.iec62304B.points, SEVERITY_FLOORS.iec62304B.because);
  if (known?.phi === true) say('phi', SEVERITY_FLOORS.phi.points, SEVERITY_FLOORS.phi.because);
  if (known?.infrastructure === true)
    say('infrastructure', SEVERITY_FLOORS.infrastructure.points, SEVERITY_FLOORS.infrastructure.because);
  return points;
}

/** These are added up. */
function likelihoodParts(facts: RiskFacts, parts: RiskPart[]): void {
  const say = (part: string, points: number, because: string): void => {
    if (points > 0) parts.push({ of: 'likelihood', part, points: Math.round(points * 10) / 10, because });
  };
  say('base', BASE_LIKELIHOOD, 'nothing on a network is out of reach');
  const weak = new Map<string, number>();
  const offered = new Set<number>();
  const clients = new Set<string>();
  const external = new Set<string>();
  let incoming = false;
  for (const channel of facts.channels) {
    const service = WEAK_SERVICES[channel.service];
    if (service !== undefined) weak.set(service.because, service.points);
    if (channel.commands.includes(SMB1.command)) weak.set(SMB1.because, SMB1.points);
    if (channel.peerKind === 'external') {
      external.add(channel.peer);
      if (!channel.isClient) incoming = true;
    }
    if (!channel.isClient && channel.peerKind !== 'group') {
      offered.add(channel.port);
      clients.add(channel.peer);
    }
  }
  let sum = 0;
  for (const points of weak.values()) sum += points;
  say('weak-protocols', Math.min(MAX_WEAK, sum), [...weak.keys()].sort().join('; '));
  say(
    'exposure',
    Math.min(EXPOSURE.max, offered.size * EXPOSURE.perService + clients.size * EXPOSURE.perPeer),
    `offers ${offered.size} services to ${clients.size} peers`,
  );
  if (external.size > 0)
    say(
      'external-peers',
      Math.min(EXTERNAL.max, EXTERNAL.any + external.size * EXTERNAL.perPeer),
      `talks to ${external.size} addresses outside of the site`,
    );
  if (incoming) say('from-outside', EXTERNAL.incoming, 'is reached from outside of the site');
  const old = oldSystem(facts.os, facts.osVersion, facts.nowUs);
  if (old !== undefined)
    say('old-os', OLD_SYSTEM_POINTS, `${facts.os} ${facts.osVersion}`.trim() + `: no security updates since ${old}`);
  say(
    'alerts',
    ALERT_POINTS[facts.alertSeverity] ?? 0,
    `an alert of severity ${facts.alertSeverity} within ${ALERT_DAYS} days`,
  );
  if (facts.known === undefined || facts.known.id === 'unknown')
    say('unknown', UNKNOWN_POINTS, 'nobody has told what it is');
}

/** Day on which the support of a system ended, where that was before `nowUs`. */
function oldSystem(os: string, version: string, nowUs: number): string | undefined {
  if (os === '') return undefined;
  const text = version.toLowerCase();
  const found = OLD_SYSTEMS.filter(
    (s) => s.os === os && (s.version.length === 0 || s.version.some((word) => standsIn(word, text))),
  );
  // A text that fits several, `7 or Server 2008 R2`: the one that was supported for longest is assumed.
  const ended = found
    .map((s) => s.ended)
    .sort()
    .at(-1);
  return ended !== undefined && Date.parse(ended) * 1000 <= nowUs ? ended : undefined;
}

/** As a whole word, or as the beginning of a number with more parts: `5.1` in `5.1.2600`, not `7` in `10.0.7`. */
function standsIn(word: string, text: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1))
    if (!/[0-9a-z.]/.test(text.charAt(at - 1)) && !/[0-9a-z]/.test(text.charAt(at + word.length))) return true;
  return false;
}
