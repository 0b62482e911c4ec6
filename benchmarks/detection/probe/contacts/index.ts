/**
 * Raises nothing: keeps, for the benchmark beside it, what the product's own events say of each device at any moment.
 * First the learned allow-list, then counters against the device's own range, then the forest.
 */
import { defineDetector, keyOf } from '../../../../src/detect/sdk.ts';
import type { DeviceView, WindowView } from '../../../../src/detect/sdk.ts';

interface State {
  /** When each target that is new to the device was first tried. */
  readonly fresh: number[];
  /** By length of the window in seconds, of the last one closed. */
  readonly excess: Map<number, number>;
  readonly pValue: Map<number, number>;
  closedUs: number;
}

const SPAN_US = 60e6;
/** How many there are of what: the features that a count of something new can exceed. */
const COUNTS = [
  'peers_out',
  'services_out',
  'flows_out',
  'failed_out',
  'arp_out',
  'icmp_out',
  'syn_out',
  'packets_out',
];
const states = new Map<string, State>();

/** Forgets everything: another recording begins. */
export function forgetStates(): void {
  states.clear();
}

/**
 * State of the device with this MAC address as one number. Its whole part is the number of targets (addresses asked for by
 * ARP; addresses and ports to which it began a flow) new to it within 60 s. What the counters say can only decide between
 * equal ones (up to 0.9), and the forest only where these are equal too (up to 0.1).
 */
export function stateOf(mac: string, nowUs: number): number {
  const state = states.get(mac);
  if (state === undefined) return 0;
  while (state.fresh.length > 0 && state.fresh[0]! < nowUs - SPAN_US) state.fresh.shift();
  if (nowUs - state.closedUs > SPAN_US) return state.fresh.length;
  const excess = Math.max(0, ...state.excess.values());
  const pValue = Math.min(1, ...state.pValue.values());
  return state.fresh.length + (0.9 * excess) / (1 + excess) + 0.1 * (1 - pValue);
}

export default defineDetector({
  id: 'contacts',
  version: 1,
  status: 'experimental',
  title: 'State of contacts',
  summary: 'Keeps what a device newly contacts, for measuring; raises nothing.',
  analytic: 'learning',
  techniques: [],
  params: {},
  create(ctx) {
    const stateFor = (device: DeviceView): State => {
      let state = states.get(device.mac);
      if (state === undefined)
        states.set(device.mac, (state = { fresh: [], excess: new Map(), pValue: new Map(), closedUs: 0 }));
      return state;
    };
    const tried = (device: DeviceView, key: number, tsUs: number): void => {
      if (device.isGateway || !ctx.novelty(device, 'tried', key).isNew) return;
      stateFor(device).fresh.push(tsUs);
    };
    return {
      onFlowStart({ orig, resp, fromStart, proto, ipProto, startUs }): void {
        if (orig.device === undefined || orig.isRemote || resp.isMulticast || !fromStart) return;
        // What answers something is no attempt: other ICMP than echo requests, UDP from a service to a client's port.
        if (proto === 'icmp' && orig.port !== 8 && orig.port !== 128) return;
        if (proto === 'udp' && orig.port < 1024) return;
        tried(orig.device, keyOf(resp.key, proto === 'icmp' ? 0 : resp.port, ipProto), startUs);
      },
      onArp(arp): void {
        if (arp.sender === undefined || !arp.isRequest || arp.isGratuitous) return;
        tried(arp.sender, keyOf(arp.targetKey, 0, 2054), ctx.nowUs());
      },
      onWindow(window: WindowView): void {
        const state = stateFor(window.device);
        let excess = 0;
        for (const feature of COUNTS) {
          const standing = window.standing(feature);
          if (standing !== undefined)
            excess = Math.max(excess, Math.log1p(window.value(feature)) - Math.log1p(standing.most));
        }
        state.excess.set(window.seconds, excess);
        state.pValue.set(window.seconds, window.model?.pValue ?? 1);
        state.closedUs = window.startUs + window.seconds * 1e6;
      },
    };
  },
});
