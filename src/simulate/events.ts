/** Labelled events: what is written into the truth about legitimate changes and attacks. */
import type { Prng } from '../lib/prng.ts';
import type { Tally } from './network.ts';
import type { Host } from './network.ts';
import type { Site } from './site.ts';
import type { Script } from './timeline.ts';

export interface Technique {
  readonly matrix: 'ATT&CK for ICS';
  readonly id: string;
  readonly name: string;
  readonly enterprise_id: string | null;
}

export interface TruthParty {
  readonly device: string;
  readonly mac: string;
  readonly ip: string;
  readonly rogue?: boolean;
}

/** One event in the form of the truth files of the clinical captures (`clinical-capture-truth/1`). */
export interface TruthEvent {
  id: string;
  label: 'attack' | 'benign';
  kind: string;
  /** Epoch seconds. */
  start: number;
  end: number;
  attacker: TruthParty | null;
  victims: TruthParty[];
  technique: Technique | null;
  description: string;
  details: Record<string, string | number>;
  /** Frames that the event itself wrote, answers and address resolution included; in a capture of all VLANs. */
  frame_facts: { display_filter: string; frames_in_window: number; first: number | null; last: number | null };
}

/** What a plan tells about itself while it runs. */
export interface Telling {
  attacker(host: Host, rogue?: boolean): void;
  victim(...hosts: readonly Host[]): void;
  detail(name: string, value: string | number): void;
  filter(wireshark: string): void;
}

/** A kind of event: inert until it is run. */
export interface Plan {
  readonly kind: string;
  readonly technique: Technique | null;
  readonly description: string;
  run(site: Site, random: Prng, tell: Telling): Script;
}

function partyOf(host: Host, rogue = false): TruthParty {
  const device = host.vlan === 0 ? `outside:${host.name}` : 'id' in host ? String(host.id) : host.name;
  return { device, mac: host.mac, ip: host.ip, ...(rogue ? { rogue } : {}) };
}

/** Runs a plan and adds to `events` what it was, when it is over or `endUs` is reached. */
export function* labelled(
  site: Site,
  plan: Plan,
  label: 'attack' | 'benign',
  random: Prng,
  events: TruthEvent[],
): Script {
  const event: TruthEvent = {
    id: `${label}-${events.length + 1}`,
    label,
    kind: plan.kind,
    start: site.timeline.nowUs / 1e6,
    end: site.timeline.nowUs / 1e6,
    attacker: null,
    victims: [],
    technique: plan.technique,
    description: plan.description,
    details: {},
    frame_facts: { display_filter: '', frames_in_window: 0, first: null, last: null },
  };
  events.push(event);
  const script = plan.run(site, random, {
    attacker: (host, rogue) => (event.attacker = partyOf(host, rogue)),
    victim: (...hosts) => event.victims.push(...hosts.map((h) => partyOf(h))),
    detail: (name, value) => (event.details[name] = value),
    filter: (wireshark) => (event.frame_facts.display_filter = wireshark),
  });
  const tally: Tally = { frames: 0, firstUs: Infinity, lastUs: 0 };
  for (;;) {
    site.network.tally = tally;
    const step = script.next();
    site.network.tally = undefined;
    event.end = Math.max(site.timeline.nowUs, tally.lastUs) / 1e6;
    if (tally.frames > 0) {
      event.frame_facts.frames_in_window = tally.frames;
      event.frame_facts.first = tally.firstUs / 1e6;
      event.frame_facts.last = tally.lastUs / 1e6;
    }
    if (step.done === true) return;
    yield step.value;
  }
}
