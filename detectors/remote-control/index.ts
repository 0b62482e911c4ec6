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
import type { DeviceView, Endpoint, Severity, Technique } from '../../src/detect/sdk.ts';
import { isNetlogonLogin, operationOf } from './operations.ts';
import type { Effect, Operation } from './operations.ts';

/** What one client does to one host by remote procedure calls. */
interface Deed {
  readonly client: Endpoint;
  readonly host: Endpoint;
  readonly effect: Effect;
  readonly severity: Severity;
  readonly firstUs: number;
  readonly does: Map<string, number>;
  readonly techniques: Map<string, Technique>;
  /** Hosts to which the client had done so while it was learned. */
  readonly usual: number;
  lastUs: number;
  nextTell: number;
  count: number;
}

const REMOTE_SERVICES: Technique = { id: 'T0886', name: 'Remote Services', matrix: 'ics' };
const RDP: Technique = { id: 'T1021.001', name: 'Remote Desktop Protocol', matrix: 'enterprise' };
const VNC: Technique = { id: 'T1021.005', name: 'VNC', matrix: 'enterprise' };
const EXPLOIT: Technique = { id: 'T1210', name: 'Exploitation of Remote Services', matrix: 'enterprise' };
const RESTART: Technique = { id: 'T0816', name: 'Device Restart/Shutdown', matrix: 'ics' };

const MAX_DEEDS = 2048;
const EPISODE_US = 900e6;
const BURST_US = 10e6;
const NO_AUTHENTICATION = 1;

export default defineDetector({
  id: 'remote-control',
  version: 1,
  status: 'stable',
  title: 'Remote control of a host',
  summary:
    'Programs are run, secrets taken or a host shut down by remote procedure calls; a medical device is operated by VNC or RDP from a host that never did so.',
  analytic: 'rule',
  techniques: [REMOTE_SERVICES],
  params: {
    netlogon_logins_10s: {
      default: 30,
      min: 5,
      max: 10_000,
      doc: 'Netlogon authentications of one client in 10 seconds: an attempt to break CVE-2020-1472.',
    },
  },
  create(ctx) {
    const { netlogon_logins_10s } = ctx.params;
    const deeds = ctx.site(() => new Map<number, Deed>());
    const logins = ctx.site(() => new Map<number, { startUs: number; n: number; told: boolean }>());
    /** VNC sessions without a password, by flow. */
    const open = ctx.site(() => new Set<number>());

    function onCall(client: Endpoint, host: Endpoint, operation: Operation): void {
      const nowUs = ctx.nowUs();
      const key = keyOf(client.key, host.key, keyOfText(operation.effect));
      const running = deeds.get(key);
      if (running !== undefined && nowUs - running.lastUs < EPISODE_US) {
        const isNew = !running.does.has(operation.does);
        running.lastUs = nowUs;
        running.count++;
        if (running.does.size < 16 || !isNew)
          running.does.set(operation.does, (running.does.get(operation.does) ?? 0) + 1);
        running.techniques.set(operation.technique.id, operation.technique);
        if (!isNew && running.count < running.nextTell) return;
        running.nextTell = Math.max(running.nextTell, running.count * 2);
        tell(running, nowUs);
        return;
      }
      const actor = monitored(client);
      const victim = monitored(host);
      const owner = actor ?? victim;
      if (owner === undefined) return;
      const effectKey = keyOfText(operation.effect);
      const byEffect = ctx.novelty(owner, 'effects', effectKey);
      const known = ctx.knows(owner, 'hosts', keyOf(actor === undefined ? client.key : host.key, effectKey));
      const byHost = ctx.novelty(owner, 'hosts', keyOf(actor === undefined ? client.key : host.key, effectKey));
      // Learned or told before: this client does this to this host.
      if (known) return;
      if (owner.learning && operation.effect === 'discovery') return;
      if (deeds.size >= MAX_DEEDS) {
        const oldest = deeds.keys().next();
        if (!oldest.done) deeds.delete(oldest.value);
      }
      const administers = !owner.learning && !byEffect.isNew;
      const deed: Deed = {
        client: keepEndpoint(client),
        host: keepEndpoint(host),
        effect: operation.effect,
        severity: operation.effect === 'discovery' || (operation.effect !== 'takeover' && administers) ? LOW : MEDIUM,
        firstUs: nowUs,
        does: new Map([[operation.does, 1]]),
        techniques: new Map([[operation.technique.id, operation.technique]]),
        usual: byHost.known,
        lastUs: nowUs,
        nextTell: 2,
        count: 1,
      };
      deeds.set(key, deed);
      tell(deed, nowUs);
    }

    function tell(deed: Deed, nowUs: number): void {
      const { client, host, effect } = deed;
      const device = monitored(client) ?? monitored(host);
      if (device === undefined) return;
      const who = nameOfEndpoint(client);
      const whom = nameOfEndpoint(host);
      const list = [...deed.does].map(([does, n]) => (n === 1 ? does : `${does} (${n} times)`)).join(', ');
      const techniques = [...deed.techniques.values()];
      if (effect === 'power') techniques.push(RESTART);
      if (effect !== 'discovery') techniques.push(REMOTE_SERVICES);
      ctx.finding({
        device,
        subject: `${effect} ${host.key}`,
        severity: deed.severity,
        confidence: deed.severity >= MEDIUM ? 85 : 55,
        tsUs: nowUs,
        firstUs: deed.firstUs,
        title: TITLES[effect],
        sentence: `${who} ${list} at ${whom} over the network, which it was never seen to do there.`,
        techniques,
        evidence: [{ src: client, dst: host, service: 'dcerpc' }],
        anomalies: [
          {
            parameter: 'remote procedure calls of this kind',
            expected: deed.usual === 0 ? 'none' : `at ${plural(deed.usual, 'learned host')}`,
            seen: list,
            learned: deed.usual,
            pattern: 'NEW',
          },
        ],
        ...(effect === 'discovery' ? {} : { patient: PATIENT }),
        advice: [
          `Ask who administers ${whom} from ${who} at this time.`,
          effect === 'discovery'
            ? `If nobody does, watch ${who}: lists of accounts and shares precede an attack.`
            : `If nobody does, isolate ${who} and examine ${whom} for new services, tasks and accounts.`,
        ],
        caution: [
          `Do not restart ${whom} before its memory and logs are saved, and not while a patient depends on it.`,
        ],
      });
    }

    function onNetlogon(client: Endpoint, host: Endpoint): void {
      const nowUs = ctx.nowUs();
      const key = keyOf(client.key, host.key);
      let burst = logins.get(key);
      if (burst === undefined || nowUs - burst.startUs > BURST_US) {
        logins.delete(key);
        if (logins.size >= MAX_DEEDS) {
          const oldest = logins.keys().next();
          if (!oldest.done) logins.delete(oldest.value);
        }
        burst = { startUs: nowUs, n: 0, told: false };
        logins.set(key, burst);
      }
      burst.n++;
      const device = monitored(client) ?? monitored(host);
      if (burst.n < netlogon_logins_10s || burst.told || device === undefined) return;
      burst.told = true;
      ctx.finding({
        device,
        subject: `netlogon ${host.key}`,
        severity: MEDIUM,
        confidence: 90,
        tsUs: nowUs,
        firstUs: burst.startUs,
        title: 'A domain controller is attacked (Netlogon)',
        sentence: `${nameOfEndpoint(client)} tried ${burst.n} Netlogon logins at ${nameOfEndpoint(host)} within ${Math.max(1, Math.round((nowUs - burst.startUs) / 1e6))} s, as attacks on CVE-2020-1472 do.`,
        techniques: [EXPLOIT],
        evidence: [{ src: client, dst: host, service: 'dcerpc' }],
        anomalies: [
          {
            parameter: 'Netlogon logins in 10 s',
            expected: `fewer than ${netlogon_logins_10s}`,
            seen: String(burst.n),
            pattern: 'ABOVE LIMIT',
          },
        ],
        patient: PATIENT,
        advice: [
          `Isolate ${nameOfEndpoint(client)}; check whether the computer account of ${nameOfEndpoint(host)} has lost its password.`,
        ],
        caution: [`Do not take the domain controller away without a second one: clinical logins depend on it.`],
      });
    }

    function onDesktop(client: Endpoint, host: Endpoint, service: 'vnc' | 'rdp', unprotected: boolean): void {
      const victim = monitored(host);
      if (victim === undefined) return;
      const actor = monitored(client);
      const serviceKey = keyOfText(service);
      const novelty = ctx.novelty(victim, 'desktop', keyOf(client.key, serviceKey));
      const operates = actor !== undefined && ctx.knows(actor, 'operates', serviceKey);
      if (actor !== undefined) ctx.novelty(actor, 'operates', serviceKey);
      if (!novelty.isNew) return;
      const cls = ctx.classOf(victim);
      const medical = cls.medical && !cls.server && !cls.interactive;
      const nowUs = ctx.nowUs();
      const who = nameOfEndpoint(client);
      const whom = nameOfEndpoint(host);
      const name = service === 'vnc' ? 'VNC' : 'remote desktop (RDP)';
      const severity: Severity = (medical && !operates) || client.isPublic ? MEDIUM : LOW;
      ctx.finding({
        device: actor ?? victim,
        subject: `${service} ${host.key}`,
        severity,
        confidence: severity === MEDIUM ? 80 : 60,
        tsUs: nowUs,
        firstUs: nowUs,
        title: medical ? 'A medical device is operated from afar' : 'New remote desktop session',
        sentence: `${who} opened a ${name} session to ${whom}${unprotected ? ' without a password' : ''}; ${novelty.known === 0 ? 'nobody was learned to do this' : `until now ${plural(novelty.known, 'other host')} did`}.`,
        techniques: [REMOTE_SERVICES, service === 'vnc' ? VNC : RDP],
        evidence: [{ src: client, dst: host, service }],
        anomalies: [
          {
            parameter: `hosts that operate it by ${name}`,
            expected: `${novelty.known} learned`,
            seen: who,
            learned: novelty.known,
            pattern: 'NEW',
          },
        ],
        ...(medical ? { patient: 'Whoever sits at the other end can change what the device shows and does.' } : {}),
        advice: [
          `Ask whether service work on ${whom} is announced and whether ${who} is the path agreed for it.`,
          'If not, end the session at its source and change the password of the remote access.',
        ],
        caution: [`Look after the patient first: do not switch ${whom} off while it is in use.`],
      });
    }

    return {
      messageKinds: ['dcerpc.call', 'vnc.security', 'vnc.auth', 'rdp.response'],
      onMessage(message): void {
        const { speaker, listener, flow } = message;
        if (listener === undefined || flow === undefined) return;
        switch (message.kind) {
          case 'dcerpc.call': {
            const name = message.text('interface') ?? '';
            const opnum = message.number('opnum') ?? -1;
            if (isNetlogonLogin(name, opnum)) onNetlogon(speaker, listener);
            const operation = operationOf(name, opnum);
            if (operation !== undefined) onCall(speaker, listener, operation);
            break;
          }
          case 'vnc.security':
            if (message.number('chosen') === NO_AUTHENTICATION) {
              open.add(flow.slot);
              onDesktop(flow.orig, flow.resp, 'vnc', true);
            }
            break;
          case 'vnc.auth':
            if (message.number('ok') === 1 && !open.has(flow.slot)) onDesktop(flow.orig, flow.resp, 'vnc', false);
            break;
          default:
            if (message.number('failure') === undefined) onDesktop(flow.orig, flow.resp, 'rdp', false);
        }
      },
      onFlowEnd(flow): void {
        open.delete(flow.slot);
      },
    };
  },
});

const PATIENT =
  'Whoever runs programs on hospital computers can reach records and devices, and bring treatment to a stop.';

const TITLES: Readonly<Record<Effect, string>> = {
  execution: 'Programs are run on another host',
  takeover: 'Secrets or accounts of another host are taken',
  power: 'A host is shut down or restarted from afar',
  discovery: 'A host is asked for accounts, shares or services',
};

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}
