import type { Config } from '../config/index.ts';
import { dissectors } from '../decode/app/registry.ts';
import { loadClasses } from '../identity/classes.ts';
import type { Device } from '../identity/device.ts';
import { createFileSource } from '../sources/index.ts';
import { tokenKeyOf } from './build.ts';
import { HotPath } from './hot-path.ts';

/** More than the devices of one capture that types are learned from; tables for a whole site take time to lay out. */
const MAX_DEVICES = 16_384;

/**
 * The devices of a capture with their evidence, undecided: for learning what they are.
 * @throws {WardwatchError} where the file cannot be read or is no capture
 */
export async function devicesOfCapture(file: string, config: Config): Promise<Device[]> {
  const devices = new Set<Device>();
  const { track, identity, baseline, alerts } = config.hotPath;
  const hotPath = new HotPath(
    {
      track,
      identity: { ...identity, max_devices: Math.min(identity.max_devices, MAX_DEVICES) },
      baseline,
      alerts,
      seed: 1,
      stage: 'all',
      tokenKey: tokenKeyOf(1),
      productVersion: '',
    },
    {
      dissectors,
      detectors: [],
      classes: loadClasses(),
      decider: {
        decide(device) {
          device.undecided = false;
          devices.add(device);
        },
      },
      output: { device: () => undefined },
    },
  );
  for await (const batch of createFileSource(file).batches()) hotPath.process(batch);
  hotPath.finish();
  return [...devices];
}
