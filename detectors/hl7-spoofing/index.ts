import {
  LOW,
  MEDIUM,
  defineDetector,
  keepEndpoint,
  keyOf,
  keyOfText,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, MessageView, Severity, Technique } from '../../src/detect/sdk.ts';

/** A message that went by, to recognise it when it comes again. */
interface Sent {
  readonly sender: Sender;
  readonly receivers: Endpoint[];
  values: number | undefined;
  patient: number | undefined;
  tsUs: number;
  acknowledged: boolean;
  /** Position in the sender's series under this name. */
  seq: number;
}

/** Who speaks under a name (MSH-3 and MSH-4). */
interface Name {
  readonly text: string;
  readonly senders: Sender[];
  /** Hosts that receive messages under this name: they may pass them on. */
  readonly receivers: Set<number>;
}

interface Sender {
  /** As it is seen in its own segment, once it was seen there. */
  end: Endpoint;
  /** The same host in each segment that its messages cross. */
  readonly views: View[];
  last: Shown | undefined;
  /** Sent under this name while it was being learned. */
  learned: boolean;
  lastUs: number;
  messages: number;
  /** Uses control ids again as a rule: they prove nothing then. */
  reuses: boolean;
  /** Position that follows if a counter has started again. */
  expect: number;
  /** Last position in the series. */
  seq: number;
  doubt: Doubt | undefined;
}

/** A host as one segment shows it: behind a router it has another key there, and the same address. */
interface View {
  readonly key: number;
  readonly vlan: string;
}

/** The last message of a sender, to know the copy of it that the mirror shows in the next segment. */
interface Shown {
  readonly control: number | undefined;
  readonly values: number | undefined;
  readonly ports: number;
  readonly vlan: string;
  readonly tsUs: number;
  readonly told: boolean;
}

/** A control id came again with other values: an altered result, unless the whole series comes again. */
interface Doubt {
  readonly to: Endpoint;
  readonly firstUs: number;
  readonly patient: number | undefined;
}

/** A deed that goes on. */
interface Deed {
  readonly firstUs: number;
  count: number;
  altered: number;
  readonly patients: Set<number>;
  nextTell: number;
  lastUs: number;
}

const SPOOF: Technique = { id: 'T0856', name: 'Spoof Reporting Message', matrix: 'ics' };
const MANIPULATION: Technique = { id: 'T1565.002', name: 'Transmitted Data Manipulation', matrix: 'enterprise' };
const THEFT: Technique = { id: 'T0882', name: 'Theft of Operational Information', matrix: 'ics' };
const EXFILTRATION: Technique = { id: 'T1048', name: 'Exfiltration Over Alternative Protocol', matrix: 'enterprise' };

const MAX_NAMES = 4096;
const MAX_SENDERS = 16;
const MAX_VIEWS = 8;
/** A router hands a packet on at once; more time than this between two copies is another message. */
const COPY_US = 2e6;
const MAX_RECEIVERS = 64;
const MAX_DEEDS = 1024;
const EPISODE_US = 900e6;
const PATIENT =
  'False or repeated results in the record can lead to a wrong treatment, and true ones can be hidden behind them.';

export default defineDetector({
  id: 'hl7-spoofing',
  version: 1,
  status: 'stable',
  title: 'Forged or replayed HL7 messages',
  summary:
    'HL7 messages come again from another host or with other values, a host speaks in the name of another, or a feed goes somewhere new.',
  analytic: 'rule',
  techniques: [SPOOF, MANIPULATION],
  params: {
    memory_s: {
      default: 3600,
      min: 60,
      max: 86_400,
      unit: 's',
      doc: 'How long a message is remembered, to recognise it.',
    },
    memory_messages: { default: 32_768, min: 256, max: 1_048_576, doc: 'Most messages remembered.' },
    alive_s: {
      default: 600,
      min: 10,
      max: 86_400,
      unit: 's',
      doc: 'Another host in the name of one that was heard so recently is an impostor; after longer silence it may be a replacement.',
    },
  },
  create(ctx) {
    const { memory_s, memory_messages, alive_s } = ctx.params;
    const memory = ctx.site(() => new Map<number, Sent>());
    /** The same messages by sender and control id: an acknowledgement names no application. */
    const unanswered = ctx.site(() => new Map<number, Sent>());
    const names = ctx.site(() => new Map<number, Name>());
    const deeds = ctx.site(() => new Map<number, Deed>());

    function nameOf(message: MessageView): { key: number; name: Name } | undefined {
      const app = message.text('sending_app') ?? '';
      const facility = message.text('sending_facility') ?? '';
      if (app === '' && facility === '') return undefined;
      const key = keyOf(keyOfText(app), keyOfText(facility));
      let name = names.get(key);
      if (name === undefined) {
        if (names.size >= MAX_NAMES && !dropStrangeName()) return undefined;
        name = { text: facility === '' ? app : `${app} at ${facility}`, senders: [], receivers: new Set() };
        names.set(key, name);
      }
      return { key, name };
    }

    /** Makes room by a name that nobody was learned to use: made-up names must not push the known ones out. */
    function dropStrangeName(): boolean {
      for (const [key, name] of names) {
        if (name.senders.some((s) => s.learned)) continue;
        names.delete(key);
        return true;
      }
      return false;
    }

    function deedOf(key: number, nowUs: number): Deed {
      let deed = deeds.get(key);
      if (deed === undefined || nowUs - deed.lastUs > EPISODE_US) {
        deeds.delete(key);
        if (deeds.size >= MAX_DEEDS) forgetOldest(deeds);
        deed = { firstUs: nowUs, count: 0, altered: 0, patients: new Set(), nextTell: 1, lastUs: nowUs };
        deeds.set(key, deed);
      }
      deed.count++;
      deed.lastUs = nowUs;
      return deed;
    }

    /** Tell of each of the first ten, then at every doubling. */
    function due(deed: Deed): boolean {
      if (deed.count < deed.nextTell) return false;
      deed.nextTell = deed.count < 10 ? deed.count + 1 : deed.count * 2;
      return true;
    }

    function tellReplay(
      from: Endpoint,
      to: Endpoint,
      before: Sent,
      name: Name,
      altered: boolean,
      patient: number | undefined,
      unsure: boolean,
    ): void {
      const nowUs = ctx.nowUs();
      const device = monitored(from) ?? monitored(to) ?? monitored(before.sender.end);
      if (device === undefined) return;
      const deed = deedOf(keyOf(from.key, before.sender.end.key, 1), nowUs);
      if (altered) deed.altered++;
      if (patient !== undefined && deed.patients.size < 64) deed.patients.add(patient);
      const first = altered && deed.altered === 1;
      if (!due(deed) && !first) return;
      const who = nameOfEndpoint(from);
      const origin = nameOfEndpoint(before.sender.end);
      // A message that nobody has acknowledged may be sent again by a stand-in of its sender.
      const sure = unsure ? deed.count > 1 : altered || before.acknowledged || deed.count > 2;
      const severity: Severity = sure ? MEDIUM : LOW;
      const what =
        deed.altered === 0
          ? 'with the same content'
          : deed.altered === deed.count
            ? 'with other values'
            : `${deed.altered} of them with other values`;
      ctx.finding({
        device,
        subject: `replay ${before.sender.end.key}`,
        severity,
        confidence: deed.altered > 0 ? 95 : 85,
        tsUs: nowUs,
        firstUs: deed.firstUs,
        title: deed.altered > 0 ? 'HL7 messages replayed with altered values' : 'HL7 messages replayed',
        sentence:
          `${who} sent ${plural(deed.count, 'HL7 message')} to ${nameOfEndpoint(to)} whose control ids ` +
          `${origin} (${name.text}) had already used, ${what}` +
          `${deed.patients.size > 0 ? `, about ${plural(deed.patients.size, 'patient')}` : ''}.`,
        evidence: [
          { src: from, dst: to, service: 'hl7' },
          { src: before.sender.end, dst: before.receivers[0], service: 'hl7' },
        ],
        anomalies: [
          { parameter: `sender of ${name.text}`, expected: origin, seen: who, pattern: 'IMPOSTOR' },
          { parameter: 'control ids used again', expected: '0', seen: String(deed.count), pattern: 'REPEATED' },
          ...(deed.altered > 0
            ? [
                {
                  parameter: 'messages with other values',
                  expected: '0',
                  seen: String(deed.altered),
                  pattern: 'ALTERED',
                },
              ]
            : []),
        ],
        patient: PATIENT,
        advice: [
          `Compare the results that ${nameOfEndpoint(to)} filed in the name of ${name.text} since ${timeText(deed.firstUs)} with the device itself, and mark the false ones.`,
          `Ask what ${who} is; if it is no stand-in of ${origin}, take it off the network.`,
          'Let the interface engine accept each sending application only from its own address.',
        ],
        caution: [`Do not stop the feed of ${origin}: its own results are still needed.`],
      });
    }

    function tellAltered(sender: Sender, name: Name, doubt: Doubt): void {
      const nowUs = ctx.nowUs();
      const device = monitored(sender.end) ?? monitored(doubt.to);
      if (device === undefined) return;
      const deed = deedOf(keyOf(sender.end.key, doubt.to.key, 2), nowUs);
      if (!due(deed)) return;
      ctx.finding({
        device,
        subject: `altered ${doubt.to.key}`,
        severity: MEDIUM,
        confidence: 70,
        tsUs: nowUs,
        firstUs: Math.min(deed.firstUs, doubt.firstUs),
        title: 'HL7 result sent again with other values',
        sentence:
          `${nameOfEndpoint(sender.end)} (${name.text}) sent ${plural(deed.count, 'HL7 message')} to ` +
          `${nameOfEndpoint(doubt.to)} under a control id that it had used before for the same patient, with other values.`,
        evidence: [{ src: sender.end, dst: doubt.to, service: 'hl7' }],
        anomalies: [
          {
            parameter: 'control ids used for two results',
            expected: '0',
            seen: String(deed.count),
            pattern: 'ALTERED',
          },
        ],
        patient: PATIENT,
        advice: [
          `Compare what ${nameOfEndpoint(doubt.to)} filed with the device's own record.`,
          'A corrected result has a control id of its own: if the sender corrects like this by design, learn it as normal.',
        ],
        caution: ['Do not delete the filed results before they have been compared.'],
      });
    }

    function tellImpostor(from: Endpoint, to: Endpoint, holder: Sender, name: Name, alive: boolean): void {
      const nowUs = ctx.nowUs();
      const device = monitored(from) ?? monitored(to);
      if (device === undefined) return;
      const deed = deedOf(keyOf(from.key, holder.end.key, 3), nowUs);
      if (!due(deed)) return;
      const kin = sameMaker(from, holder.end);
      const who = nameOfEndpoint(from);
      const origin = nameOfEndpoint(holder.end);
      ctx.finding({
        device,
        subject: `name ${holder.end.key}`,
        severity: alive && !kin ? MEDIUM : LOW,
        confidence: alive ? 85 : 60,
        tsUs: nowUs,
        firstUs: deed.firstUs,
        title: alive ? 'A host sends HL7 in the name of another device' : 'HL7 sender has moved to another host',
        sentence:
          `${who} sent ${plural(deed.count, 'HL7 message')} to ${nameOfEndpoint(to)} as ${name.text}, a name under which only ` +
          `${origin} was learned to send; ${origin} ${alive ? 'still does' : 'has fallen silent'}.`,
        evidence: [
          { src: from, dst: to, service: 'hl7' },
          { src: holder.end, dst: undefined, service: 'hl7' },
        ],
        anomalies: [
          {
            parameter: `sender of ${name.text}`,
            expected: origin,
            seen: who,
            learned: holder.messages,
            pattern: 'IMPOSTOR',
          },
        ],
        patient: PATIENT,
        advice: [
          `Ask whether ${who} has taken over from ${origin}; if so, learn it as normal.`,
          `If not, check the results filed under ${name.text} since ${timeText(deed.firstUs)} and take ${who} off the network.`,
        ],
        caution: [`Do not stop the feed of ${origin}: its own results are still needed.`],
      });
    }

    function tellNewReceiver(from: Endpoint, to: Endpoint, device: DeviceView, known: number, what: string): void {
      const nowUs = ctx.nowUs();
      ctx.finding({
        device,
        subject: `receiver ${to.key}`,
        severity: to.isPublic ? MEDIUM : LOW,
        confidence: to.isPublic ? 85 : 60,
        tsUs: nowUs,
        firstUs: nowUs,
        title: to.isPublic ? 'HL7 messages sent to a public address' : 'HL7 feed to a new receiver',
        sentence: `${nameOfEndpoint(from)} sent HL7 ${what} in clear to ${nameOfEndpoint(to)}, which never received HL7 from it before.`,
        techniques: to.isPublic ? [EXFILTRATION, THEFT] : [THEFT],
        evidence: [{ src: from, dst: to, service: 'hl7' }],
        anomalies: [
          {
            parameter: 'HL7 receivers',
            expected: `${known} learned`,
            seen: nameOfEndpoint(to),
            learned: known,
            pattern: 'NEW',
          },
        ],
        patient: 'Names, diagnoses and results of patients go to somebody new.',
        advice: [
          'Ask the owner of the interface whether this receiver is meant to have the feed; if so, learn it as normal.',
          ...(to.isPublic ? ['Block this address at the firewall: patient data may not leave in clear.'] : []),
        ],
      });
    }

    function tellNewSender(from: Endpoint, to: Endpoint, receiver: DeviceView, name: string, known: number): void {
      const nowUs = ctx.nowUs();
      ctx.finding({
        device: monitored(from) ?? receiver,
        subject: `sender ${to.key}`,
        severity: LOW,
        confidence: 55,
        tsUs: nowUs,
        firstUs: nowUs,
        title: 'New sender of HL7 messages',
        sentence: `${nameOfEndpoint(from)} sends HL7 messages as ${name} to ${nameOfEndpoint(to)}, which had ${plural(known, 'sender')} until now.`,
        evidence: [{ src: from, dst: to, service: 'hl7' }],
        anomalies: [
          {
            parameter: 'HL7 senders',
            expected: `${known} learned`,
            seen: nameOfEndpoint(from),
            learned: known,
            pattern: 'NEW',
          },
        ],
        patient: PATIENT,
        advice: ['Ask the owner of the interface whether a device was added; if so, learn it as normal.'],
      });
    }

    function forgetOldest(map: Map<number, unknown>): void {
      const oldest = map.keys().next();
      if (!oldest.done) map.delete(oldest.value);
    }

    function onSent(message: MessageView, to: Endpoint): void {
      const nowUs = ctx.nowUs();
      const from = message.speaker;
      const known = nameOf(message);
      const control = message.number('control_id');
      if (known === undefined) return;
      const { key: nameKey, name } = known;
      const vlan = message.flow?.vlan ?? '';
      const { sender, isNewView } = senderOf(name, from, vlan, nowUs);
      if (sender === undefined) return;
      const values = message.number('values');
      const ports = message.flow === undefined ? 0 : keyOf(message.flow.orig.port, message.flow.resp.port);
      const { last } = sender;
      const forwards = name.receivers.has(from.key);
      if (name.receivers.size < MAX_RECEIVERS) name.receivers.add(to.key);
      const isCopy =
        last !== undefined &&
        last.vlan !== vlan &&
        last.control === control &&
        last.values === values &&
        last.ports === ports &&
        nowUs - last.tsUs <= COPY_US;
      if (isCopy) {
        const sent = control === undefined ? undefined : memory.get(keyOf(nameKey, control));
        if (sent?.sender === sender) addReceiver(sent, to);
        judgePath(message, to, name, last.told || !isNewView);
        return;
      }
      const learning = from.device?.learning === true && !from.isRemote;
      if (learning && !anotherIsLearned(name, sender)) sender.learned = true;
      sender.messages++;
      sender.lastUs = nowUs;

      const replayed =
        control !== undefined && judgeReplay(message, to, keyOf(nameKey, control), name, sender, control, nowUs);
      const impostor = !sender.learned && !forwards && judgeName(sender, to, name, nowUs);
      sender.last = { control, values, ports, vlan, tsUs: nowUs, told: replayed || impostor };
      judgePath(message, to, name, replayed || impostor || !isNewView);
    }

    /** The sender under the name, known again in other segments by its address; undefined where there are too many. */
    function senderOf(
      name: Name,
      from: Endpoint,
      vlan: string,
      nowUs: number,
    ): { sender: Sender | undefined; isNewView: boolean } {
      for (const sender of name.senders)
        if (sender.views.some((v) => v.key === from.key)) return { sender, isNewView: false };
      for (const sender of name.senders) {
        if (sender.views.length >= MAX_VIEWS || !isSameBehindRouter(sender.end, from)) continue;
        if (sender.views.some((v) => v.vlan === vlan)) continue;
        sender.views.push({ key: from.key, vlan });
        if (!from.isRemote) sender.end = keepEndpoint(from);
        return { sender, isNewView: true };
      }
      if (name.senders.length >= MAX_SENDERS) return { sender: undefined, isNewView: true };
      const sender: Sender = {
        end: keepEndpoint(from),
        views: [{ key: from.key, vlan }],
        last: undefined,
        learned: false,
        lastUs: nowUs,
        messages: 0,
        reuses: false,
        expect: -1,
        seq: 0,
        doubt: undefined,
      };
      name.senders.push(sender);
      return { sender, isNewView: true };
    }

    function addReceiver(sent: Sent, to: Endpoint): void {
      if (sent.receivers.length < 4 && !sent.receivers.some((r) => r.key === to.key))
        sent.receivers.push(keepEndpoint(to));
    }

    /** True where the message is somebody else's, sent again. */
    function judgeReplay(
      message: MessageView,
      to: Endpoint,
      key: number,
      name: Name,
      sender: Sender,
      control: number,
      nowUs: number,
    ): boolean {
      const from = message.speaker;
      const values = message.number('values');
      const patient = message.number('patient');
      const doubt = sender.doubt;
      sender.doubt = undefined;
      let before = memory.get(key);
      if (before !== undefined && nowUs - before.tsUs > memory_s * 1e6) {
        memory.delete(key);
        before = undefined;
      }
      if (before === undefined) {
        if (doubt !== undefined) tellAltered(sender, name, doubt);
        sender.expect = -1;
        remember(key, message, to, sender, control, nowUs);
        return false;
      }
      const samePatient = before.patient === undefined || patient === undefined || before.patient === patient;
      if (before.sender === sender || before.sender.views.some((v) => v.key === from.key)) {
        if (values === before.values) {
          addReceiver(before, to);
          sender.doubt = doubt;
          return false;
        }
        const continues = before.seq === sender.expect;
        const only = sender.seq <= 1;
        const learning = from.device?.learning === true;
        if (!samePatient || only || continues || learning) sender.reuses ||= !continues;
        else if (!sender.reuses) {
          if (doubt !== undefined) tellAltered(sender, name, doubt);
          sender.doubt = { to: keepEndpoint(to), firstUs: nowUs, patient };
        }
        sender.expect = before.seq + 1;
        before.values = values;
        before.patient = patient;
        before.tsUs = nowUs;
        return false;
      }
      const passedOn = before.receivers.some((r) => r.key === from.key || isSameBehindRouter(r, from));
      const other = before.sender;
      // Devices of one name count each for themselves: the same number from two of them says nothing.
      const shared = sender.learned && other.learned;
      if (passedOn || !samePatient || other.reuses) return false;
      // While the site is being learned nobody owns a name yet; the same patient at that is hardly chance.
      const unsure = shared || sender.learned;
      if (shared && (patient === undefined || !isLearning(sender.end) || !isLearning(other.end))) return false;
      tellReplay(sender.end, to, before, name, values !== before.values, patient, unsure);
      return true;
    }

    function remember(
      key: number,
      message: MessageView,
      to: Endpoint,
      sender: Sender,
      control: number,
      nowUs: number,
    ): void {
      if (memory.size >= memory_messages) forgetOldest(memory);
      if (unanswered.size >= memory_messages) forgetOldest(unanswered);
      const sent: Sent = {
        sender,
        receivers: [keepEndpoint(to)],
        values: message.number('values'),
        patient: message.number('patient'),
        tsUs: nowUs,
        acknowledged: false,
        seq: ++sender.seq,
      };
      memory.set(key, sent);
      unanswered.set(keyOf(message.speaker.key, control), sent);
    }

    /** True where the host speaks in the name of one other host. */
    function judgeName(sender: Sender, to: Endpoint, name: Name, nowUs: number): boolean {
      let holder: Sender | undefined;
      for (const s of name.senders) {
        if (!s.learned || s === sender) continue;
        // A name that several devices share belongs to none of them.
        if (holder !== undefined) return false;
        holder = s;
      }
      if (holder?.end.device === undefined || holder.end.device.learning) return false;
      tellImpostor(sender.end, to, holder, name, nowUs - holder.lastUs <= alive_s * 1e6);
      return true;
    }

    function judgePath(message: MessageView, to: Endpoint, name: Name, known: boolean): void {
      const from = message.speaker;
      const actor = monitored(from);
      const receiver = monitored(to);
      const fromSet = receiver === undefined ? undefined : ctx.novelty(receiver, 'senders', from.key);
      const toSet = actor === undefined ? undefined : ctx.novelty(actor, 'receivers', to.key);
      if (
        actor !== undefined &&
        toSet !== undefined &&
        ((toSet.isNew && toSet.known > 0) || (toSet.isNew && to.isPublic))
      )
        tellNewReceiver(from, to, actor, toSet.known, message.text('message_type') ?? 'messages');
      else if (receiver !== undefined && fromSet?.isNew === true && !known)
        tellNewSender(from, to, receiver, name.text, fromSet.known);
    }

    return {
      messageKinds: ['hl7.message', 'hl7.ack'],
      onMessage(message): void {
        const to = message.listener;
        if (to === undefined || to.isMulticast) return;
        if (message.kind === 'hl7.message') {
          if (message.number('complete') !== 0) onSent(message, to);
          return;
        }
        const code = message.text('code');
        const control = message.number('control_id');
        if (control === undefined || (code !== 'AA' && code !== 'CA')) return;
        const key = keyOf(to.key, control);
        const sent = unanswered.get(key);
        if (sent === undefined) return;
        sent.acknowledged = true;
        unanswered.delete(key);
      },
    };
  },
});

function anotherIsLearned(name: Name, sender: Sender): boolean {
  return name.senders.some((s) => s !== sender && s.end.device?.learning === false);
}

/** The same address, at least once seen from behind a router: two devices of one segment are never the same. */
function isSameBehindRouter(a: Endpoint, b: Endpoint): boolean {
  return (a.isRemote || b.isRemote) && a.ip !== '' && a.ip === b.ip;
}

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}

function isLearning(end: Endpoint): boolean {
  return end.device?.learning ?? true;
}

/** Devices of one maker: the same first three bytes of the hardware address. */
function sameMaker(a: Endpoint, b: Endpoint): boolean {
  return a.device !== undefined && a.mac !== '' && a.mac.slice(0, 8) === b.mac.slice(0, 8);
}

function timeText(us: number): string {
  return new Date(us / 1000).toISOString().slice(0, 19) + 'Z';
}
