import {
  LOW,
  MEDIUM,
  defineDetector,
  figure,
  keepEndpoint,
  keyOf,
  nameOfEndpoint,
  plural,
} from '../../src/detect/sdk.ts';
import type { DeviceView, Endpoint, Severity, Technique } from '../../src/detect/sdk.ts';

/** Files that one host gave to a device, or the device fetched, within an episode. */
interface Delivery {
  readonly source: Endpoint;
  readonly device: Endpoint;
  /** The source pushed; otherwise the device fetched. */
  readonly pushed: boolean;
  readonly service: string;
  readonly severity: Severity;
  readonly why: string;
  readonly firstUs: number;
  lastUs: number;
  files: number;
  bytes: number;
  nextTell: number;
}

const FIRMWARE: Technique = { id: 'T0839', name: 'Module Firmware', matrix: 'ics' };
const SYSTEM_FIRMWARE: Technique = { id: 'T0857', name: 'System Firmware', matrix: 'ics' };
const TRANSFER: Technique = { id: 'T0867', name: 'Lateral Tool Transfer', matrix: 'ics' };

const EPISODE_US = 900e6;
const MAX_OPEN = 1024;

export default defineDetector({
  id: 'firmware-transfer',
  version: 1,
  status: 'stable',
  title: 'File brought to a device',
  summary:
    'A device fetches a file by FTP from a place it never used, or somebody uploads one to it by FTP, HTTP or SMB.',
  analytic: 'behavioral',
  techniques: [SYSTEM_FIRMWARE, FIRMWARE],
  params: {
    file_bytes: {
      default: 32_768,
      min: 1,
      max: 1e9,
      unit: 'bytes',
      doc: 'Smaller uploads by HTTP and SMB are settings and results, not programs.',
    },
  },
  create(ctx) {
    const { file_bytes } = ctx.params;
    const deliveries = ctx.site(() => new Map<number, Delivery>());
    /** Bytes written to a device's share, by client and device. */
    const written = ctx.site(() => new Map<number, { bytes: number; startUs: number }>());

    /** Devices that do one thing: a new program on them is never routine. */
    function fixed(device: DeviceView): boolean {
      const cls = ctx.classOf(device);
      return cls.medical && !cls.server && !cls.interactive;
    }

    function deliver(source: Endpoint, target: Endpoint, pushed: boolean, service: string, bytes: number): void {
      const device = monitored(target);
      if (device === undefined) return;
      const nowUs = ctx.nowUs();
      const key = keyOf(source.key, target.key, pushed ? 1 : 2);
      const running = deliveries.get(key);
      if (running !== undefined && nowUs - running.lastUs < EPISODE_US) {
        running.lastUs = nowUs;
        running.files++;
        running.bytes += bytes;
        if (running.files >= running.nextTell) {
          running.nextTell *= 2;
          tell(running, nowUs);
        }
        return;
      }
      const novelty = ctx.novelty(device, pushed ? 'uploaders' : 'stores', source.key);
      // The file is known only when it is whole: what the flow has carried is not counted twice.
      if (!novelty.isNew && !(source.isPublic && device.learning)) return;
      const medical = fixed(device);
      const elsewhere = novelty.site > 0;
      const severity: Severity = medical && !elsewhere && (pushed || source.isPublic) ? MEDIUM : LOW;
      const why = elsewhere
        ? `which does so at ${plural(novelty.site, 'other device')} as well`
        : novelty.known === 0
          ? 'which nobody was learned to do'
          : `while ${plural(novelty.known, 'other host')} ${novelty.known === 1 ? 'was' : 'were'} learned to do so`;
      deliveries.delete(key);
      if (deliveries.size >= MAX_OPEN) {
        const oldest = deliveries.keys().next();
        if (!oldest.done) deliveries.delete(oldest.value);
      }
      const delivery: Delivery = {
        source: keepEndpoint(source),
        device: keepEndpoint(target),
        pushed,
        service,
        severity,
        why,
        firstUs: nowUs,
        lastUs: nowUs,
        files: 1,
        bytes,
        nextTell: 2,
      };
      deliveries.set(key, delivery);
      tell(delivery, nowUs);
    }

    function tell(d: Delivery, nowUs: number): void {
      const device = monitored(d.device);
      if (device === undefined) return;
      const actor = d.pushed ? (monitored(d.source) ?? device) : device;
      const source = nameOfEndpoint(d.source);
      const target = nameOfEndpoint(d.device);
      const service = d.service.toUpperCase();
      const size = d.bytes > 0 ? `, ${figure(d.bytes)} bytes` : '';
      const did = d.pushed
        ? `${source} sent ${plural(d.files, 'file')} to ${target} by ${service}`
        : `${target} fetched ${plural(d.files, 'file')} from ${source} by ${service}`;
      ctx.finding({
        device: actor,
        subject: `${d.pushed ? 'push' : 'fetch'} ${d.pushed ? d.device.key : d.source.key}`,
        severity: d.severity,
        confidence: d.severity === MEDIUM ? 70 : 55,
        tsUs: nowUs,
        firstUs: d.firstUs,
        title: d.pushed ? 'A file was sent to a device' : 'A device fetched a file from a new place',
        sentence: `${did}${size}, ${d.why}.`,
        techniques: [SYSTEM_FIRMWARE, FIRMWARE, TRANSFER],
        evidence: [
          d.pushed
            ? { src: d.source, dst: d.device, service: d.service }
            : { src: d.device, dst: d.source, service: d.service },
        ],
        anomalies: [
          {
            parameter: d.pushed ? 'hosts that send it files' : 'hosts it fetches files from',
            expected: 'those learned',
            seen: source,
            pattern: 'NEW',
          },
        ],
        ...(fixed(device)
          ? { patient: `A changed program or drug library can make ${target} do something other than what it shows.` }
          : {}),
        advice: [
          `Ask biomedical engineering whether an update of ${target} was planned, and compare its version with the plan.`,
          `If not, take ${target} out of use as soon as the patient allows, and have its software checked by the maker.`,
        ],
        caution: [`Do not switch ${target} off during an update or while a patient depends on it.`],
      });
    }

    return {
      messageKinds: ['ftp.reply', 'http.request', 'smb.command'],
      onMessage(message): void {
        const { speaker, listener } = message;
        if (listener === undefined || listener.isMulticast) return;
        if (message.kind === 'ftp.reply') {
          // 226 and 250: the transfer is complete (RFC 959). The server speaks.
          const code = message.number('code');
          const verb = message.text('verb');
          if (code !== 226 && code !== 250) return;
          const bytes = message.number('transfer_bytes') ?? 0;
          if (verb === 'RETR') deliver(speaker, listener, false, 'ftp', bytes);
          else if (verb === 'STOR' || verb === 'STOU' || verb === 'APPE')
            deliver(listener, speaker, true, 'ftp', bytes);
          return;
        }
        if (message.kind === 'http.request') {
          const method = message.text('method');
          const bytes = message.number('body_bytes') ?? 0;
          if ((method !== 'PUT' && method !== 'POST') || bytes < file_bytes) return;
          const device = monitored(listener);
          // Only what serves nobody as a rule: uploads to servers are their trade.
          if (device !== undefined && fixed(device)) deliver(speaker, listener, true, 'http', bytes);
          return;
        }
        if (message.text('command') !== 'write' || message.number('is_request') !== 1) return;
        const device = monitored(listener);
        if (device === undefined || !fixed(device) || message.text('pipe') !== undefined) return;
        const nowUs = ctx.nowUs();
        const key = keyOf(speaker.key, listener.key);
        let sum = written.get(key);
        if (sum === undefined || nowUs - sum.startUs > 60e6) {
          written.delete(key);
          if (written.size >= MAX_OPEN) {
            const oldest = written.keys().next();
            if (!oldest.done) written.delete(oldest.value);
          }
          sum = { bytes: 0, startUs: nowUs };
          written.set(key, sum);
        }
        const before = sum.bytes;
        sum.bytes += message.number('bytes') ?? 0;
        if (before < file_bytes && sum.bytes >= file_bytes) deliver(speaker, listener, true, 'smb', sum.bytes);
      },
    };
  },
});

function monitored(end: Endpoint): DeviceView | undefined {
  return end.isRemote || end.device === undefined || end.device.isGateway ? undefined : end.device;
}
