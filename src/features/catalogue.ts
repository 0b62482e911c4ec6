/**
 * What is counted per device and window. One entry a feature: name, unit, meaning. The order is the order of
 * the columns in memory, in models and in calibration, so entries are only ever appended; a change of
 * meaning needs a new name.
 */
export interface Feature {
  readonly name: string;
  readonly unit: 'packets' | 'bytes' | 'flows' | 'peers' | 'services' | 'messages' | 'ratio' | 'seconds';
  readonly doc: string;
  /** How two windows of the same device become one. */
  readonly merge: 'sum' | 'distinct' | 'derived' | 'max';
}

export const FEATURES = [
  { name: 'packets_out', unit: 'packets', doc: 'packets sent', merge: 'sum' },
  { name: 'packets_in', unit: 'packets', doc: 'packets received', merge: 'sum' },
  { name: 'bytes_out', unit: 'bytes', doc: 'bytes sent, whole frames', merge: 'sum' },
  { name: 'bytes_in', unit: 'bytes', doc: 'bytes received, whole frames', merge: 'sum' },
  { name: 'payload_out', unit: 'bytes', doc: 'transport payload sent', merge: 'sum' },
  { name: 'payload_in', unit: 'bytes', doc: 'transport payload received', merge: 'sum' },
  { name: 'flows_out', unit: 'flows', doc: 'flows that the device began', merge: 'sum' },
  { name: 'flows_in', unit: 'flows', doc: 'flows that others began to the device', merge: 'sum' },
  {
    name: 'failed_out',
    unit: 'flows',
    doc: 'flows begun by the device that ended without an answer or refused',
    merge: 'sum',
  },
  { name: 'failed_in', unit: 'flows', doc: 'flows to the device that it did not answer or refused', merge: 'sum' },
  { name: 'peers_out', unit: 'peers', doc: 'different addresses to which the device began flows', merge: 'distinct' },
  { name: 'peers_in', unit: 'peers', doc: 'different addresses that began flows to the device', merge: 'distinct' },
  {
    name: 'services_out',
    unit: 'services',
    doc: 'different pairs of address and port to which the device began flows',
    merge: 'distinct',
  },
  { name: 'arp_out', unit: 'packets', doc: 'ARP requests sent', merge: 'sum' },
  { name: 'icmp_out', unit: 'packets', doc: 'ICMP packets sent', merge: 'sum' },
  { name: 'broadcast_out', unit: 'packets', doc: 'packets sent to broadcast or multicast addresses', merge: 'sum' },
  { name: 'syn_out', unit: 'packets', doc: 'TCP SYN without ACK sent', merge: 'sum' },
  { name: 'rst_out', unit: 'packets', doc: 'TCP RST sent', merge: 'sum' },
  { name: 'external_out', unit: 'bytes', doc: 'bytes sent to addresses outside the monitored segments', merge: 'sum' },
  { name: 'messages_out', unit: 'messages', doc: 'application messages understood that the device sent', merge: 'sum' },
  { name: 'mean_size_out', unit: 'bytes', doc: 'bytes_out / packets_out', merge: 'derived' },
  { name: 'out_share', unit: 'ratio', doc: 'bytes_out / (bytes_out + bytes_in)', merge: 'derived' },
] as const satisfies readonly Feature[];

export type FeatureName = (typeof FEATURES)[number]['name'];
export const FEATURE_COUNT = FEATURES.length;
export const F = Object.fromEntries(FEATURES.map((f, i) => [f.name, i])) as Readonly<Record<FeatureName, number>>;

const INDEX = new Map<string, number>(FEATURES.map((f, i) => [f.name, i]));

/** Column of a feature, undefined for a name that is none. */
export function featureIndex(name: string): number | undefined {
  return INDEX.get(name);
}
