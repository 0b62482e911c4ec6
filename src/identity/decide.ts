import type { DecidedField, FieldEvidence } from '../kernel/rows.ts';
import type { Device } from './device.ts';
import type { OuiTable } from './oui.ts';

/** Decides what a device is from its evidence. Pure: the same evidence gives the same answer. */
export interface Decider {
  /** Sets `fields` and the plain fields of the device. */
  decide(device: Device): void;
}

const HOSTNAME_SOURCES: readonly (readonly [string, number])[] = [
  ['dhcp.hostname', 0.95],
  ['dhcp.fqdn', 0.9],
  ['mdns.hostname', 0.85],
  ['nbns.name', 0.8],
  ['lldp.system_name', 0.95],
  ['ntlm.computer', 0.8],
];

/** Vendor from the MAC address, host name from what the device calls itself. */
export function createBasicDecider(oui: OuiTable): Decider {
  return {
    decide(device) {
      const fields: Record<string, DecidedField> = {};
      const vendor = device.mac === '' || device.hasRandomMac ? '' : oui.vendor(device.oui);
      if (vendor !== '')
        fields['vendor_name'] = {
          value: vendor,
          confidence: 0.7,
          evidence: [{ source: 'oui', value: vendor, weight: 0.7, time: Math.floor(device.firstUs / 1000) }],
        };
      const names: { value: string; weight: number; evidence: FieldEvidence }[] = [];
      for (const e of device.evidence.values()) {
        const weight = HOSTNAME_SOURCES.find(([source]) => source === e.source)?.[1];
        if (weight !== undefined)
          names.push({
            value: e.value,
            weight,
            evidence: { source: e.source, value: e.value, weight, time: Math.floor(e.firstUs / 1000) },
          });
      }
      names.sort((a, b) => b.weight - a.weight);
      const best = names[0];
      if (best !== undefined) {
        const other = names.find((n) => n.value !== best.value);
        fields['hostname'] = {
          value: best.value,
          confidence: best.weight,
          ...(other === undefined ? {} : { runner_up: { value: other.value, confidence: other.weight } }),
          evidence: names.map((n) => n.evidence),
        };
      }
      apply(device, fields);
    },
  };
}

/** Writes decided fields to the device. */
export function apply(device: Device, fields: Record<string, DecidedField>): void {
  device.fields = fields;
  device.hostname = fields['hostname']?.value ?? '';
  device.vendor = fields['vendor_name']?.value ?? '';
  device.model = fields['model']?.value ?? '';
  device.type = fields['type']?.value ?? 'unknown';
  device.undecided = false;
  device.version++;
}
