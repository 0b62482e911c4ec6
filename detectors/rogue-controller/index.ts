import {
  LOW,
  MEDIUM,
  defineDetector,
  endpointOf,
  keepEndpoint,
  keyOf,
  keyOfText,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, Severity, Technique } from '../../src/detect/sdk.ts';
import {
  AUTOMATED_COLLECTION,
  DEVICE_RESTART,
  KINDS,
  MODIFY_ALARMS,
  MONITOR_STATE,
  ROGUE_MASTER,
  UNAUTHORIZED_COMMAND,
  commandOf,
  outcomeOf,
  protocolOf,
} from './commands.ts';
import type { Command, Effect } from './commands.ts';

/** What one source does to one target in one protocol and was not learned to do. */
interface Deed {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly command: Command;
  readonly severity: Severity;
  /** `new-source`: it never commanded this target; `new-command`: it did, but not this. */
  readonly what: 'new-source' | 'new-command';
  readonly firstUs: number;
  /** Targets that have learned this source as one of theirs. */
  readonly elsewhere: number;
  /** Who was learned to do this to the target. */
  readonly usual: string;
  readonly usualCount: number;
  /** Nothing was learned of the target yet. */
  readonly learning: boolean;
  readonly commands: Set<string>;
  count: number;
  done: number;
  refused: number;
  nextTell: number;
  lastUs: number;
}

/** Sources that a target was seen with while it learned, by protocol and effect: for the words of the alert. */
interface Usual {
  readonly ends: Map<string, Map<number, Endpoint>>;
}

const EFFECTS: readonly Effect[] = ['read', 'write', 'stop'];
const MAX_DEEDS = 4096;
const MAX_NAMES = 4;
/** A deed that has been quiet so long is told anew when it goes on. */
const EPISODE_US = 900e6;

export default defineDetector({
  id: 'rogue-controller',
  version: 1,
  status: 'stable',
  title: 'Command from an unusual source',
  summary:
    'A host sends write, control or polling requests to a device that it was never seen to command, or a known controller sends a kind of command that is new.',
  analytic: 'behavioral',
  techniques: [UNAUTHORIZED_COMMAND],
  params: {
    report_reads: {
      default: true,
      doc: 'Report new clients that only read from building and plant controllers. Clinical data ports are always reported.',
    },
  },
  create(ctx) {
    const { report_reads } = ctx.params;
    const deeds = ctx.site(() => new Map<number, Deed>());
    const usualOf = ctx.perDevice<Usual>(() => ({ ends: new Map() }));

    function tell(deed: Deed, nowUs: number): void {
      const { command, source, target } = deed;
      const actor = monitored(source);
      const device = actor ?? monitored(target);
      if (device === undefined) return;
      const who = nameOfEndpoint(source);
      const whom = nameOfEndpoint(target);
      const names = [...deed.commands].slice(0, 4).join(', ');
      const kind =
        command.effect === 'read'
          ? 'request'
          : command.effect === 'write'
            ? 'write command'
            : 'stop or restart command';
      const answered =
        deed.done > 0
          ? ` ${whom} carried out ${deed.done} of them.`
          : deed.refused > 0
            ? ` ${whom} refused all that it answered (${deed.refused}).`
            : '';
      const learned =
        deed.what === 'new-command'
          ? `${who} is a known controller of ${whom}, but never sent this kind of command`
          : deed.learning
            ? `${whom} is still being learned`
            : deed.usualCount === 0
              ? `nobody was learned to do this`
              : `until now only ${deed.usual} did this`;
      ctx.finding({
        device,
        subject: `${command.protocol} ${command.effect} ${deed.what} ${target.key}`,
        severity: deed.severity,
        confidence: deed.severity >= MEDIUM ? (deed.done > 0 ? 92 : 80) : 60,
        tsUs: nowUs,
        firstUs: deed.firstUs,
        title: titleOf(deed),
        sentence: `${who} sent ${plural(deed.count, `${command.protocolName} ${kind}`)} (${names}) to ${whom}; ${learned}.${answered}`,
        techniques: techniquesOf(deed),
        evidence: [{ src: source, dst: target, service: command.protocol }],
        anomalies: [
          deed.what === 'new-command'
            ? {
                parameter: `${command.protocolName} commands of this controller`,
                expected: 'those learned',
                seen: names,
                pattern: 'NEW',
              }
            : {
                parameter:
                  command.effect === 'read' ? `${command.protocolName} clients` : `${command.protocolName} controllers`,
                expected: deed.usualCount === 0 ? 'none' : deed.usual,
                seen: who,
                learned: deed.usualCount,
                pattern: 'NEW',
              },
          {
            parameter: `${kind}s`,
            expected: '0',
            seen: String(deed.count),
            pattern: 'NEW',
          },
        ],
        patient: patientOf(command),
        advice: [
          `Ask who works on ${whom} from ${who}; if it is planned work, learn this as normal.`,
          command.effect === 'read'
            ? `If nobody does, treat ${who} as compromised: it collects what the device measures.`
            : `If nobody does, check the settings of ${whom} on the spot and set them back, then isolate ${who}.`,
          'Allow the port of this protocol only from the controllers that are meant to use it.',
        ],
        caution: [
          `Do not cut ${whom} off the network while a patient depends on it: stop the commands at their source.`,
        ],
      });
    }

    function begin(
      key: number,
      command: Command,
      source: Endpoint,
      target: Endpoint,
      what: Deed['what'],
      severity: Severity,
      elsewhere: number,
      nowUs: number,
    ): void {
      if (deeds.size >= MAX_DEEDS) {
        const oldest = deeds.keys().next();
        if (!oldest.done) deeds.delete(oldest.value);
      }
      const victim = monitored(target);
      const usual = victim === undefined ? undefined : usualOf(victim).ends.get(usualKey(command));
      const deed: Deed = {
        source: keepEndpoint(source),
        target: keepEndpoint(target),
        command,
        severity,
        what,
        firstUs: nowUs,
        elsewhere,
        usual: usual === undefined ? '' : [...usual.values()].map(nameOfEndpoint).join(', '),
        usualCount: usual?.size ?? 0,
        learning: (victim ?? monitored(source))?.learning ?? false,
        commands: new Set([command.name]),
        count: 1,
        done: 0,
        refused: 0,
        nextTell: 3,
        lastUs: nowUs,
      };
      deeds.set(key, deed);
      tell(deed, nowUs);
    }

    /** A command from somebody who is not known to command this target. */
    function severityOfNew(
      command: Command,
      source: Endpoint,
      victim: DeviceView | undefined,
      elsewhere: number,
    ): Severity {
      if (source.isPublic) return MEDIUM;
      if (command.effect === 'stop') return MEDIUM;
      // A controller of other devices of this kind takes over one more: usual when devices are moved.
      if (elsewhere > 0) return LOW;
      if (command.effect === 'write') return MEDIUM;
      // A new analyser that asks the laboratory's server for its orders does what servers are for.
      const serves = victim !== undefined && ctx.classOf(victim).server && victim.type !== 'central-station';
      return command.clinical && !serves ? MEDIUM : LOW;
    }

    /**
     * While nothing is learned yet: a computer that people use, beside the machine that commands the target already.
     * Clinical and building devices are commanded by one machine of their own, as their profiles declare.
     */
    function besidesOthers(command: Command, victim: DeviceView, actor: DeviceView, source: Endpoint): boolean {
      if (!ctx.classOf(actor).interactive) return false;
      let others = 0;
      let own = 0;
      for (const ends of usualOf(victim).ends.values())
        for (const end of ends.values()) {
          if (end.key === source.key) own++;
          else others++;
        }
      if (others === 0 || command.effect === 'stop') return false;
      // Who maintains a controller reads it before anything is changed; to write at first sight is no maintenance.
      return actor.type !== 'engineering-workstation' || (command.effect === 'write' && own === 0);
    }

    function judge(command: Command, source: Endpoint, target: Endpoint, nowUs: number): void {
      const { effect } = command;
      const setKey = keyOf(keyOfText(command.protocol), EFFECTS.indexOf(effect));
      const key = keyOf(source.key, target.key, setKey);
      const running = deeds.get(key) ?? deeds.get(keyOf(key, command.key));
      if (running !== undefined && nowUs - running.lastUs < EPISODE_US) {
        running.lastUs = nowUs;
        running.count++;
        const fresh = running.commands.size < 8 && !running.commands.has(command.name);
        if (fresh) running.commands.add(command.name);
        if (running.count < running.nextTell && !fresh) return;
        if (running.count >= running.nextTell) running.nextTell *= 3;
        tell(running, nowUs);
        return;
      }
      const victim = monitored(target);
      const actor = monitored(source);
      // The target has learned who commands it; where it is not monitored, the source has learned whom it commands.
      const owner = victim ?? actor;
      if (owner === undefined) return;
      const set = victim !== undefined ? `${effect}s-from` : `${effect}s-to`;
      const other = victim !== undefined ? source.key : target.key;
      const learned = ctx.knows(owner, set, keyOf(other, setKey));
      const bySource = ctx.novelty(owner, set, keyOf(other, setKey));
      const byCommand = ctx.novelty(owner, `${set}-command`, keyOf(other, command.key));
      if (owner.learning) {
        // What stops or restarts a device is told even of devices of which nothing is learned yet.
        if (effect === 'stop' || source.isPublic) {
          if (!learned) begin(key, command, source, target, 'new-source', MEDIUM, 0, nowUs);
        } else if (victim !== undefined && actor !== undefined && !actor.learning)
          judgeKnownSource(command, actor, target, setKey, nowUs);
        else if (
          victim !== undefined &&
          actor !== undefined &&
          !learned &&
          besidesOthers(command, victim, actor, source)
        ) {
          const severity = severityOfNew(command, source, victim, 0);
          if (severity >= MEDIUM) {
            // Told, and not taken for usual.
            begin(key, command, source, target, 'new-source', severity, 0, nowUs);
            return;
          }
        }
        if (victim !== undefined) learnSource(victim, command, source);
        return;
      }
      if (actor !== undefined) ctx.novelty(actor, `${effect}s-any`, setKey);
      const elsewhere = bySource.site;
      if (bySource.isNew) {
        // Its first stop or restart: a controller that only wrote until now is known, its command is not.
        const writeKey = keyOf(keyOfText(command.protocol), EFFECTS.indexOf('write'));
        const writes = effect === 'stop' && ctx.knows(owner, set.replace('stop', 'write'), keyOf(other, writeKey));
        if (effect === 'read' && !command.clinical && !report_reads && !source.isPublic) return;
        const what = writes ? 'new-command' : 'new-source';
        begin(key, command, source, target, what, severityOfNew(command, source, victim, elsewhere), elsewhere, nowUs);
      } else if (byCommand.isNew && effect !== 'read') {
        const severity = command.effect === 'stop' ? MEDIUM : LOW;
        begin(keyOf(key, command.key), command, source, target, 'new-command', severity, elsewhere, nowUs);
      }
    }

    /** A target of which nothing is learned, commanded by a device that is learned and never commanded anything. */
    function judgeKnownSource(
      command: Command,
      actor: DeviceView,
      target: Endpoint,
      setKey: number,
      nowUs: number,
    ): void {
      if (command.effect === 'read') return;
      if (!ctx.novelty(actor, 'writes-any', setKey).isNew) return;
      begin(keyOf(actor.id, target.key, setKey), command, endpointOf(actor), target, 'new-source', LOW, 0, nowUs);
    }

    function learnSource(victim: DeviceView, command: Command, source: Endpoint): void {
      const ends = usualOf(victim).ends;
      const key = usualKey(command);
      let known = ends.get(key);
      if (known === undefined) {
        known = new Map();
        ends.set(key, known);
      }
      if (known.size < MAX_NAMES && !known.has(source.key)) known.set(source.key, keepEndpoint(source));
    }

    return {
      messageKinds: KINDS,
      onMessage(message): void {
        const { speaker, listener } = message;
        if (listener === undefined || listener.isMulticast) return;
        const nowUs = ctx.nowUs();
        const outcome = outcomeOf(message);
        if (outcome !== undefined) {
          for (let n = 0; n < EFFECTS.length; n++) {
            const deed = deeds.get(keyOf(listener.key, speaker.key, keyOf(keyOfText(protocolOf(message.kind)), n)));
            // Answers to what is usual come between: no more of them count than there were commands.
            if (deed === undefined || deed.done + deed.refused >= deed.count) continue;
            if (outcome === 'done') {
              deed.done++;
              // That it worked is worth telling once.
              if (deed.done === 1) tell(deed, nowUs);
            } else deed.refused++;
          }
          return;
        }
        const command = commandOf(message);
        if (command !== undefined) judge(command, speaker, listener, nowUs);
      },
    };
  },
});

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}

function usualKey(command: Command): string {
  return `${command.protocol} ${command.effect}`;
}

function titleOf(deed: Deed): string {
  const { command } = deed;
  if (deed.what === 'new-command') return `New kind of ${command.protocolName} command from a known controller`;
  if (command.effect === 'read')
    return command.clinical
      ? `Unknown client reads from a clinical device (${command.protocolName})`
      : `New ${command.protocolName} client`;
  const what = command.effect === 'stop' ? 'Stop or restart' : command.alarm ? 'Change of alarms' : 'Write command';
  return deed.elsewhere > 0
    ? `${what} from a controller of other devices (${command.protocolName})`
    : `${what} from an unknown controller (${command.protocolName})`;
}

function techniquesOf(deed: Deed): readonly Technique[] {
  const { command } = deed;
  if (command.effect === 'read') return command.clinical ? [AUTOMATED_COLLECTION, MONITOR_STATE] : [MONITOR_STATE];
  const list = [UNAUTHORIZED_COMMAND];
  if (command.effect === 'stop') list.push(DEVICE_RESTART);
  if (command.alarm) list.push(MODIFY_ALARMS);
  if (deed.what === 'new-source' && deed.elsewhere === 0) list.push(ROGUE_MASTER);
  return list;
}

function patientOf(command: Command): string {
  if (command.effect === 'read')
    return command.clinical
      ? 'Vital signs or results of a patient are read by somebody who is not known to treat the patient; a second client can also crowd out the central station.'
      : 'Reading changes nothing by itself, but it is how commands against medical gas, power or ventilation are prepared.';
  if (command.alarm) return 'Changed or silenced alarms can leave a patient in danger unnoticed.';
  if (command.clinical) return 'Changed settings of a clinical device can alter a measurement or a therapy.';
  return 'Medical gas, room pressure, power or temperature that are set wrongly can harm everybody who depends on them.';
}
