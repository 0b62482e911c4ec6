/**
 * A detector in the real engine with the real first-seen sets, told of messages and flows by hand: for what
 * no capture shows. Devices are real devices; only what they would have sent is written down here.
 */
import { DetectEngine } from '../../src/detect/engine.ts';
import type { RaisedFinding } from '../../src/detect/engine.ts';
import type { DetectorDefinition, DeviceClass, Endpoint, FlowView, MessageView } from '../../src/detect/sdk.ts';
import { NoveltySets } from '../../src/baseline/novelty.ts';
import { WindowModels } from '../../src/baseline/models.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { Device } from '../../src/identity/device.ts';
import { hashText } from '../../src/lib/hash.ts';

const START_US = 1_800_000_000e6;

export interface Host {
  readonly device: Device | undefined;
  readonly ip: string;
  readonly isRemote: boolean;
  readonly isPublic: boolean;
}

export interface FlowShape {
  readonly proto?: 'tcp' | 'udp' | 'icmp';
  readonly port?: number;
  readonly origPort?: number;
  readonly service?: string;
  readonly origBytes?: number;
  readonly respBytes?: number;
}

interface Seen {
  readonly subject: string;
  readonly severity: number;
  readonly sentence: string;
}

export class DetectorBench {
  readonly findings: RaisedFinding[] = [];
  readonly failures: string[] = [];
  nowUs = START_US;
  readonly #devices: Device[] = [];
  readonly #engine: DetectEngine;
  #flows = 0;

  constructor(definition: DetectorDefinition, params: Record<string, number | boolean | string> = {}) {
    const defaults = Object.fromEntries(Object.entries(definition.params).map(([name, spec]) => [name, spec.default]));
    const classes = loadClasses();
    this.#engine = new DetectEngine({
      detectors: [{ definition, params: { ...defaults, ...params }, origin: 'test' }],
      novelty: new NoveltySets(1024, (slot) => this.#devices[slot]!.type),
      models: new WindowModels(1),
      nowUs: () => this.nowUs,
      devices: () => this.#devices,
      deviceAt: (slot) => this.#devices[slot],
      deviceBeside: (beside, mac) => this.#devices.find((d) => d.mac === mac && d.segment === beside.segment),
      classOf: (type): DeviceClass => classes.get(type) ?? classes.get('unknown')!,
      blind: () => false,
      onFinding: (finding) => this.findings.push(finding),
      onScore: () => {},
      onFailure: (id, reason) => this.failures.push(`${id}: ${reason}`),
    });
  }

  /** A device on the monitored segment. */
  host(name: string, type = 'unknown', learning = true): Host & { readonly device: Device } {
    const slot = this.#devices.length;
    const mac = `02:00:00:00:00:${slot.toString(16).padStart(2, '0')}`;
    const device = new Device(slot, `0/${mac}`, hashText(mac), 0x020000, slot, mac, 0, '0', this.nowUs);
    device.useAddress(`192.0.2.${slot + 1}`, false, true, this.nowUs);
    device.hostname = name;
    device.type = type;
    device.learning = learning;
    this.#devices.push(device);
    this.#engine.deviceAppeared(device);
    return { device, ip: device.ip, isRemote: false, isPublic: false };
  }

  /** An address behind the gateway. */
  remote(ip: string, isPublic = false): Host {
    return { device: undefined, ip, isRemote: true, isPublic };
  }

  endLearning(): void {
    for (const device of this.#devices) {
      device.learning = false;
      this.#engine.learned(device);
    }
  }

  /** Lets event time go on, second by second. */
  wait(seconds: number): void {
    for (let s = 0; s < seconds; s++) {
      this.nowUs += 1e6;
      this.#engine.second(this.nowUs);
    }
  }

  flow(orig: Host, resp: Host, shape: FlowShape = {}): FlowView {
    const proto = shape.proto ?? 'tcp';
    return {
      slot: this.#flows++,
      orig: endpoint(orig, shape.origPort ?? 40_000),
      resp: endpoint(resp, shape.port ?? 0),
      proto,
      ipProto: proto === 'tcp' ? 6 : proto === 'udp' ? 17 : 1,
      service: shape.service ?? '',
      startUs: this.nowUs,
      lastUs: this.nowUs,
      fromStart: true,
      established: true,
      origPkts: 1,
      respPkts: 1,
      origBytes: shape.origBytes ?? 0,
      respBytes: shape.respBytes ?? 0,
      connState: 'SF',
      vlan: '0',
      missedBytes: 0,
      ttl: 64,
      ttlOfOrig: true,
    };
  }

  begin(flow: FlowView): FlowView {
    this.#engine.flowStarted(flow);
    return flow;
  }

  establish(flow: FlowView): FlowView {
    this.#engine.flowEstablished(flow);
    return flow;
  }

  end(flow: FlowView): void {
    this.#engine.flowEnded(flow);
  }

  /** One message from one host to another, a millisecond after the last. */
  say(
    kind: string,
    from: Host,
    to: Host,
    fields: Record<string, string | number>,
    flow: FlowView = this.flow(from, to),
  ): void {
    this.nowUs += 1000;
    const fromOrig = flow.orig.ip === from.ip;
    const message: MessageView = {
      kind,
      flow,
      fromOrig,
      speaker: fromOrig ? flow.orig : flow.resp,
      listener: fromOrig ? flow.resp : flow.orig,
      text: (field) => (typeof fields[field] === 'string' ? fields[field] : undefined),
      number: (field) => (typeof fields[field] === 'number' ? fields[field] : undefined),
    };
    this.#engine.message(message);
  }

  forget(host: Host & { readonly device: Device }): void {
    this.#engine.deviceForgotten(host.device);
  }

  /** Last state of each thing reported, in the order in which they began. */
  seen(): Seen[] {
    const bySubject = new Map<string, Seen>();
    for (const { device, subject, severity, sentence } of this.findings)
      bySubject.set(`${device.key} ${subject}`, { subject, severity, sentence });
    return [...bySubject.values()];
  }

  severities(): number[] {
    return this.seen().map((s) => s.severity);
  }
}

function endpoint(host: Host, port: number): Endpoint {
  const { device, ip, isRemote, isPublic } = host;
  const mac = device?.mac ?? '';
  return { device, ip, mac, port, key: device?.id ?? hashText(ip), isPublic, isRemote, isMulticast: false };
}
