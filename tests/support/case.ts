/**
 * Cases of a detector: data in detectors/<id>/cases/*.json, played on the usual traffic of a ward. Times are
 * seconds after learning was closed; `learned` steps happen while it goes on.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dicom, hl7, modbus, smb, spoken } from './dialogues.ts';
import { Traffic, runDetectors } from './traffic.ts';
import type { Host, RunOptions, RunOutcome, Turn } from './traffic.ts';
import { WARD, ward } from './ward.ts';

export interface Step {
  readonly do: string;
  readonly at?: number;
  readonly from?: string;
  readonly to?: string | readonly string[];
  readonly port?: number;
  readonly ports?: readonly number[];
  readonly outcome?: 'ok' | 'refused' | 'unanswered' | 'dropped';
  readonly send?: number;
  readonly receive?: number;
  readonly times?: number;
  readonly every?: number;
  readonly jitter?: number;
  readonly network?: string;
  readonly claim?: string;
  readonly until?: number;
  readonly hosts?: readonly string[];
  readonly type?: 'DISCOVER' | 'OFFER' | 'REQUEST' | 'ACK' | 'RELEASE';
  readonly hostname?: string;
  readonly vendorClass?: string;
  readonly parameters?: readonly number[];
  readonly accepted?: boolean;
  readonly answered?: boolean;
  /** What is said: `> ` by the client, `< ` by the server. */
  readonly lines?: readonly string[];
  readonly name?: string;
  readonly deed?: string;
  readonly count?: number;
  /** HL7: application, message, first control number and acknowledgement. DICOM: titles. */
  readonly as?: string;
  readonly called?: string;
  readonly message?: string;
  readonly control?: number;
  readonly code?: string;
  readonly destination?: string;
  readonly icmp?: number;
}

export interface DetectorCase {
  readonly name: string;
  readonly says: string;
  readonly kind: 'fires' | 'near-miss' | 'benign';
  /** Hosts beside those of the ward. */
  readonly hosts?: Readonly<Record<string, { readonly mac: string; readonly ip: string; readonly ttl?: number }>>;
  readonly learned?: readonly Step[];
  readonly steps: readonly Step[];
  /** Nothing was learned. */
  readonly cold?: boolean;
  readonly expect: {
    /** Least severity of an alert. */
    readonly severity?: number;
    /** All alerts stay below this severity; 1: there is none. */
    readonly below?: number;
    /** Name of the host whose alert it is. */
    readonly device?: string;
    /** Seconds after the first step. */
    readonly within?: number;
  };
}

export const LEARN_S = 300;
const TEST_S = 200;

export function casesOf(id: string): DetectorCase[] {
  const folder = new URL(`../../detectors/${id}/cases/`, import.meta.url);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      ...(JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Omit<DetectorCase, 'name'>),
      name: file.replace('.json', ''),
    }));
}

export function hostsOf(c: DetectorCase): Map<string, Host> {
  const hosts = new Map(WARD);
  for (const [name, h] of Object.entries(c.hosts ?? {}))
    hosts.set(name, { name, mac: h.mac, ip: h.ip, ttl: h.ttl ?? 64 });
  return hosts;
}

/** Plays a case through the hot path with one detector (or as the options say). */
export async function playCase(id: string, c: DetectorCase, options: RunOptions = { only: [id] }): Promise<RunOutcome> {
  const t = new Traffic(11);
  const hosts = hostsOf(c);
  const from = c.cold === true ? LEARN_S : 0;
  ward(t, from, LEARN_S + TEST_S);
  for (const step of c.learned ?? []) play(t, hosts, step, step.at ?? 0);
  for (const step of c.steps) play(t, hosts, step, LEARN_S + (step.at ?? 0));
  return runDetectors(t.batches(64), c.cold === true ? options : { ...options, learnUntil: LEARN_S });
}

function play(t: Traffic, hosts: ReadonlyMap<string, Host>, step: Step, start: number): void {
  const named = (name: string | undefined): Host => {
    const known = hosts.get(name ?? '');
    if (known !== undefined) return known;
    if (name !== undefined && /^\d+\.\d+\.\d+\.\d+$/.test(name)) {
      // An address of another network lies behind the gateway.
      return { name, mac: hosts.get('gateway')!.mac, ip: name, ttl: 50 };
    }
    throw new Error(`a case names the host '${name ?? ''}', which does not exist`);
  };
  const from = (): Host => named(step.from);
  const targets = (): Host[] => (typeof step.to === 'string' ? [step.to] : (step.to ?? [])).map(named);
  const ports = step.ports ?? [step.port ?? 0];
  const times = step.times ?? 1;
  const every = step.every ?? 1;
  let n = 0;
  const moments = function* (): Generator<number> {
    for (let at = start; n < times; n++, at += every * (1 + (step.jitter ?? 0) * (2 * t.random() - 1))) yield at;
  };
  switch (step.do) {
    case 'tcp':
      for (const at of moments()) {
        let offset = 0;
        for (const target of targets())
          for (const port of ports) {
            const turns: Turn[] = [];
            if ((step.send ?? 0) > 0) turns.push({ fromClient: true, data: step.send! });
            if ((step.receive ?? 0) > 0) turns.push({ fromClient: false, data: step.receive! });
            t.tcp(at + offset, from(), target, port, { outcome: step.outcome ?? 'ok', turns });
            offset += 0.02;
          }
      }
      break;
    case 'udp':
      for (const at of moments())
        for (const target of targets())
          for (const port of ports) t.ask(at, from(), target, port, step.send ?? 100, step.receive ?? 0);
      break;
    case 'stream': {
      const source = t.ephemeral();
      for (const at of moments())
        for (const target of targets()) t.udp(at, from(), target, source, ports[0]!, step.send ?? 100);
      break;
    }
    case 'ping':
      for (const at of moments()) for (const target of targets()) t.ping(at, from(), target, step.answered ?? true);
      break;
    case 'arp-sweep':
      for (const at of moments()) {
        const ip = `${step.network!}${n + 1}`;
        const h = from();
        t.arp(at, h, true, h.ip, ip);
        const target = [...hosts.values()].find((x) => x.ip === ip);
        if (target !== undefined) t.arp(at + 0.001, target, false, target.ip, h.ip, h);
      }
      break;
    case 'claim':
      // An ARP answer that nobody asked for: `from` says that it has the address of `claim`.
      for (const at of moments()) {
        const ip = hosts.get(step.claim ?? '')?.ip ?? step.claim!;
        if (step.to === undefined) t.arp(at, from(), true, ip, ip);
        else for (const target of targets()) t.arp(at, from(), false, ip, target.ip, target);
      }
      break;
    case 'dhcp':
      for (const at of moments()) {
        const { hostname, vendorClass, parameters } = step;
        const client = from();
        const mac =
          times > 20
            ? `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`
            : undefined;
        t.dhcp(at, step.type ?? 'DISCOVER', client, targets()[0] ?? hosts.get('directory')!, {
          ...(hostname === undefined ? {} : { hostname }),
          ...(vendorClass === undefined ? {} : { vendorClass }),
          ...(parameters === undefined ? {} : { parameters }),
          ...(mac === undefined ? {} : { clientMac: mac }),
        });
      }
      break;
    case 'telnet':
      for (const at of moments())
        for (const target of targets())
          t.tcp(at, from(), target, 23, {
            turns: [
              { fromClient: false, data: 'login: ' },
              { fromClient: true, data: 'admin\r\n' },
              { fromClient: false, data: 'Password: ' },
              { fromClient: true, data: `pass${n}\r\n` },
              {
                fromClient: false,
                data: step.accepted === true ? '\r\nWelcome\r\n$ ' : '\r\nLogin incorrect\r\nlogin: ',
              },
            ],
          });
      break;
    case 'ftp':
      for (const at of moments())
        for (const target of targets())
          t.tcp(at, from(), target, 21, {
            turns: [
              { fromClient: false, data: '220 ready\r\n' },
              { fromClient: true, data: 'USER admin\r\n' },
              { fromClient: false, data: '331 password\r\n' },
              { fromClient: true, data: `PASS p${n}\r\n` },
              { fromClient: false, data: step.accepted === true ? '230 welcome\r\n' : '530 wrong\r\n' },
            ],
          });
      break;
    case 'hold': {
      // One connection in which both sides say something every so often.
      const turns = Array.from({ length: times }, () => [
        { fromClient: true, data: step.send ?? 100, afterMs: every * 1000 },
        { fromClient: false, data: step.receive ?? 60 },
      ]).flat();
      for (const target of targets()) t.tcp(start, from(), target, ports[0]!, { turns });
      break;
    }
    case 'talk':
      for (const at of moments())
        for (const target of targets()) t.tcp(at, from(), target, ports[0]!, { turns: spoken(step.lines ?? []) });
      break;
    case 'hl7':
      for (const at of moments())
        for (const target of targets()) {
          const control = `${step.as ?? ''}-${(step.control ?? 0) + n}`;
          t.tcp(at, from(), target, 2575, {
            turns: hl7(
              step.as ?? '',
              step.message ?? 'ORU^R01',
              control,
              60 + Math.floor(t.random() * 40),
              step.code ?? 'AA',
            ),
          });
        }
      break;
    case 'dicom':
      for (const at of moments())
        for (const target of targets()) {
          const deed = step.deed as 'find' | 'move' | 'refused';
          const calling = (step.as ?? 'AE').replace('#', String(n));
          t.tcp(at, from(), target, 104, {
            turns: dicom(calling, step.called ?? 'PACS', deed, step.count ?? 1, step.destination ?? ''),
          });
        }
      break;
    case 'smb':
      for (const at of moments())
        for (const target of targets()) {
          const deed = step.deed as 'read' | 'save' | 'encrypt';
          t.tcp(at, from(), target, 445, { turns: smb(deed, step.count ?? 1, n * 1000) });
        }
      break;
    case 'modbus':
      for (const at of moments())
        for (const target of targets())
          t.tcp(at, from(), target, 502, { turns: modbus(step.deed as 'read' | 'write', step.count ?? 1) });
      break;
    case 'dns':
      for (const at of moments()) {
        // Not in order, so that no two names begin alike.
        const label = Buffer.from(String(Math.imul(n + 1, 0x9e3779b1) >>> 0)).toString('hex');
        for (const target of targets())
          t.dns(at, from(), target, step.name!.replace('#', label), step.answered === false ? '' : '10.9.0.23');
      }
      break;
    case 'icmp':
      for (const at of moments()) for (const target of targets()) t.icmp(at, from(), target, step.icmp ?? 8);
      break;
    case 'icmp6':
      for (const at of moments()) t.icmp6(at, from(), targets()[0], step.icmp ?? 135, hosts.get(step.claim ?? ''));
      break;
    case 'dhcpv6':
      for (const at of moments()) t.dhcpv6(at, step.message ?? 'SOLICIT', from(), targets()[0]);
      break;
    case 'silence':
      t.silence(
        (step.hosts ?? []).map((name) => named(name).mac),
        start,
        LEARN_S + (step.until ?? TEST_S),
      );
      break;
    default:
      throw new Error(`a case has the step '${step.do}', which does not exist`);
  }
}
