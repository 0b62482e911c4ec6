import type { AddressRow, ChannelRow, DeviceRow, IdentityRow, Severity } from '../kernel/rows.ts';
import type { Channels } from '../identity/channels.ts';
import type { KnownClass } from '../identity/classes.ts';
import type { Device } from '../identity/device.ts';
import type { BindingChange } from '../identity/device-table.ts';
import { ALERT_DAYS, assessRisk } from '../identity/risk.ts';
import type { Criticality, Risk } from '../identity/risk.ts';
import { toDeviceRow } from '../alerts/ocsf.ts';
import type { OcsfOptions } from '../alerts/ocsf.ts';

/** Where the rows of the inventory go; what is not given is not made. */
export interface InventoryOutput {
  device?(row: DeviceRow): void;
  channel?(row: ChannelRow): void;
  address?(row: AddressRow): void;
  identity?(row: IdentityRow): void;
}

export interface InventoryDeps {
  readonly output: InventoryOutput;
  readonly channels: Channels;
  readonly classes: ReadonlyMap<string, KnownClass>;
  /** What the profile with this id declares of the harm of a fault. */
  readonly criticality: (profile: string) => Criticality | undefined;
  readonly ocsf: OcsfOptions;
}

/** That a device merely was heard again is worth a row so often. */
const HEARD_AGAIN_US = 60_000_000;
const ALERT_US = ALERT_DAYS * 86_400_000_000;
/** A change of what was decided is told from this confidence on. */
const TOLD = 0.5;
/** Fields whose change is a change of identity. */
const TELLING = ['type', 'vendor_name', 'os'] as const;
/** Names that many devices have out of the box tell nothing. */
const MIN_NAME = 4;

interface Written {
  version: number;
  packets: number;
  atUs: number;
  type: string;
  readonly told: Record<string, string>;
  isGateway: boolean;
}

const ms = (us: number): number => Math.floor(us / 1000);

/** Tells the outputs what is known of devices, when something new is, and what has changed of who they are. */
export class Inventory {
  readonly #deps: InventoryDeps;
  readonly #written = new WeakMap<Device, Written>();
  readonly #alerts = new Map<Device, { severity: Severity; atUs: number }>();
  /** The first device that was known by a name, for those with made-up addresses. */
  readonly #named = new Map<string, Device>();
  readonly #hasPhi: (type: string) => boolean;

  constructor(deps: InventoryDeps) {
    this.#deps = deps;
    this.#hasPhi = (type) => deps.classes.get(type)?.phi === true;
  }

  save(devices: readonly Device[]): unknown {
    const written: { device: Device; row: Written }[] = [];
    for (const device of devices) {
      const row = this.#written.get(device);
      if (row !== undefined) written.push({ device, row });
    }
    return { written, alerts: this.#alerts, named: this.#named };
  }

  /** Into an inventory that has told nothing yet. */
  restore(saved: unknown): void {
    const { written, alerts, named } = saved as {
      written: { device: Device; row: Written }[];
      alerts: Map<Device, { severity: Severity; atUs: number }>;
      named: Map<string, Device>;
    };
    for (const { device, row } of written) this.#written.set(device, row);
    for (const [device, alert] of alerts) this.#alerts.set(device, alert);
    for (const [name, device] of named) this.#named.set(name, device);
  }

  alerted(device: Device, severity: Severity, nowUs: number): void {
    const known = this.#alerts.get(device);
    if (known !== undefined && known.severity > severity && nowUs - known.atUs < ALERT_US) return;
    this.#alerts.set(device, { severity, atUs: nowUs });
    device.version++;
  }

  forget(device: Device): void {
    this.#alerts.delete(device);
    if (this.#named.get(device.hostname) === device) this.#named.delete(device.hostname);
  }

  bindingChanged(change: BindingChange, nowUs: number): void {
    if (change.source === 'use') return;
    this.#deps.output.identity?.({
      device: change.after.key,
      vlan: change.after.vlan,
      time: ms(nowUs),
      kind: 'address',
      before: change.before.key,
      after: change.ip,
      reason: `said by ${change.source === 'dhcp' ? 'a DHCP lease' : change.source.toUpperCase()}; ${change.before.key} had it until ${new Date(ms(change.beforeLastUs)).toISOString()}`,
    });
  }

  risk(device: Device, nowUs: number): Risk {
    const alert = this.#alerts.get(device);
    const profile = device.fields['profile']?.value;
    return assessRisk({
      known: this.#deps.classes.get(device.type),
      criticality: profile === undefined ? undefined : this.#deps.criticality(profile),
      os: device.fields['os']?.value ?? '',
      osVersion: device.fields['os_version']?.value ?? '',
      channels: this.#deps.channels.of(device),
      alertSeverity: alert === undefined || nowUs - alert.atUs > ALERT_US ? 0 : alert.severity,
      nowUs,
    });
  }

  /** Writes what is new of all devices; that they merely were heard again once a minute, or with `all`. */
  write(devices: readonly Device[], nowUs: number, all: boolean): void {
    const { output, channels } = this.#deps;
    if (output.device === undefined) return;
    let typesChanged = false;
    for (const device of devices) {
      const before = this.#written.get(device);
      const heard = before === undefined || device.packets !== before.packets;
      const known = before === undefined || device.version !== before.version;
      if (!known && !(heard && (all || nowUs - before.atUs >= HEARD_AGAIN_US))) continue;
      device.version++;
      if (before !== undefined && before.type !== device.type) typesChanged = true;
      this.#written.set(device, {
        version: device.version,
        packets: device.packets,
        atUs: nowUs,
        type: device.type,
        told: this.#tell(device, before, nowUs),
        isGateway: device.isGateway,
      });
      output.device(toDeviceRow(device, this.#deps.ocsf, device.bytes, device.packets, this.risk(device, nowUs)));
      if (output.address !== undefined)
        for (const use of device.takeAddresses())
          output.address({
            device: device.key,
            ip: use.ip,
            first_seen: ms(use.firstUs),
            last_seen: ms(use.lastUs),
            claimed: use.claimed,
          });
      if (output.channel !== undefined && before !== undefined && before.type !== device.type)
        for (const row of channels.rows(device, devices, this.#hasPhi, true)) output.channel(row);
    }
    if (output.channel === undefined) return;
    // Rows name the types of both ends.
    if (typesChanged) channels.markAll();
    for (const device of channels.takeChanged())
      for (const row of channels.rows(device, devices, this.#hasPhi, false)) output.channel(row);
  }

  /** Tells what has changed of who the device is, and gives what is known by now. */
  #tell(device: Device, before: Written | undefined, nowUs: number): Record<string, string> {
    const { output } = this.#deps;
    const tell = (row: IdentityRow): void => output.identity?.(row);
    const told: Record<string, string> = before?.told ?? {};
    for (const name of TELLING) {
      const field = device.fields[name];
      if (field === undefined || field.confidence < TOLD || field.value === told[name]) continue;
      const was = told[name];
      told[name] = field.value;
      if (was === undefined) continue;
      const newest = [...field.evidence].sort((a, b) => b.time - a.time)[0];
      tell({
        device: device.key,
        vlan: device.vlan,
        time: ms(nowUs),
        kind: name,
        before: was,
        after: field.value,
        reason: newest === undefined ? 'what it does on the network' : `${newest.source}: ${newest.value}`,
      });
    }
    if (device.isGateway && before?.isGateway !== true)
      tell({
        device: device.key,
        vlan: device.vlan,
        time: ms(nowUs),
        kind: 'gateway',
        before: '',
        after: 'gateway',
        reason: 'sends from many addresses that it never claimed, or from addresses outside of the site',
      });
    this.#tellTwin(device, told, nowUs, tell);
    return told;
  }

  /** A made-up hardware address with the name of a device that is known: most likely that device. */
  #tellTwin(device: Device, told: Record<string, string>, nowUs: number, tell: (row: IdentityRow) => void): void {
    const name = device.hostname;
    if (name.length < MIN_NAME || told['same-as'] !== undefined) return;
    const first = this.#named.get(name);
    if (first === undefined) {
      this.#named.set(name, device);
      return;
    }
    if (first === device || !(device.hasRandomMac || first.hasRandomMac)) return;
    told['same-as'] = first.key;
    tell({
      device: device.key,
      vlan: device.vlan,
      time: ms(nowUs),
      kind: 'same-as',
      before: '',
      after: first.key,
      reason: 'has the same name, and one of the two has a made-up (locally administered) hardware address',
    });
  }
}
