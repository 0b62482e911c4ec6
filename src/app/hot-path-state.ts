import { createHash } from 'node:crypto';
import { WardwatchError } from '../kernel/errors.ts';
import { FEATURES } from '../features/catalogue.ts';
import { Device } from '../identity/device.ts';
import { Roles } from '../identity/roles.ts';
import type { AnyStateClass, StateClass } from '../state/codec.ts';

/**
 * Version of what the hot path stores. To be raised with every change of the shape of what some `save` gives:
 * state of another version is not read, and the hot path learns anew.
 */
export const STATE_VERSION = 1;

type DeviceHead = [number, string, number, number, number, string, number, string, number];

const deviceClass: StateClass<Device> = {
  name: 'device',
  type: Device,
  head: (d): DeviceHead => [d.slot, d.key, d.id, d.oui, d.nic, d.mac, d.segment, d.vlan, d.firstUs],
  make: (head) => new Device(...(head as DeviceHead)),
  body: (d) => d.save(),
  fill: (d, body) => d.restore(body as object),
};

const rolesClass: StateClass<Roles> = {
  name: 'roles',
  type: Roles,
  head: () => undefined,
  make: () => new Roles(),
  body: (r) => Object.assign({}, r),
  fill: (r, body) => {
    Object.assign(r, body);
  },
};

/** The classes whose instances lie in the hot path's state. */
export const STATE_CLASSES: readonly AnyStateClass[] = [deviceClass, rolesClass] as unknown as readonly AnyStateClass[];

/** What stored state must have in common with the hot path that takes it over. */
export interface StateKind {
  readonly version: number;
  /** Columns of windows, baselines and models. */
  readonly features: string;
  readonly tap: string;
  readonly seed: number;
  /** Of the key of tokens: those that are remembered mean nothing under another one. */
  readonly tokens: string;
}

export function stateKind(tap: string, seed: number, tokenKey: Uint8Array): StateKind {
  return {
    version: STATE_VERSION,
    features: FEATURES.map((f) => f.name).join(' '),
    tap,
    seed,
    tokens: createHash('sha256').update('wardwatch state').update(tokenKey).digest('hex').slice(0, 16),
  };
}

/** @throws WardwatchError WW_MODEL that says in what they differ */
export function checkKind(stored: StateKind, own: StateKind): void {
  const words: Record<keyof StateKind, string> = {
    version: 'it was written by another version of Wardwatch',
    features: 'other things were counted in it',
    tap: 'the tap was of another kind (hotPath.identity.tap)',
    seed: 'it was made with another seed',
    tokens: 'it was made with another token key',
  };
  for (const [name, why] of Object.entries(words) as [keyof StateKind, string][])
    if (stored[name] !== own[name])
      throw new WardwatchError('WW_MODEL', `the stored state does not fit: ${why}`, 'what it knew is learned anew');
}
