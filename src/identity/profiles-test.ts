import { hashText } from '../lib/hash.ts';
import { createDecider } from './decide.ts';
import { Device } from './device.ts';
import type { Knowledge } from './knowledge.ts';
import type { ProfileSpec, TestSign } from './profile-schema.ts';
import type { RoleKey } from './roles.ts';

/** One half of a profile's own test that did not come out as declared. */
export interface ProfileTestFailure {
  readonly profile: string;
  readonly part: 'match' | 'near_miss';
  /** What came out instead. */
  readonly text: string;
}

/**
 * Runs the `tests` of a profile: by the evidence of `match` a device must be known as of its class and, where
 * the profile is more than a class, as this profile; by that of `near_miss` it must not.
 */
export function testProfile(profile: ProfileSpec, knowledge: Knowledge): ProfileTestFailure[] {
  const failures: ProfileTestFailure[] = [];
  const isModel = profile.vendor !== undefined || profile.model !== undefined;
  for (const part of ['match', 'near_miss'] as const) {
    const device = deviceOf(profile.tests[part], knowledge);
    const type = device.fields['type'];
    const known = isModel
      ? device.fields['profile']?.value === profile.id
      : type?.value === profile.class && (part === 'match' || type.confidence >= 0.5);
    if (known === (part === 'match')) continue;
    const came = `${device.type}${type === undefined ? '' : ` (${type.confidence})`}`;
    failures.push({
      profile: profile.id,
      part,
      text: `is known as ${came}, profile ${device.fields['profile']?.value ?? 'none'}`,
    });
  }
  return failures;
}

/** A device of which nothing is known but these signs, decided. */
export function deviceOf(signs: readonly TestSign[], knowledge: Knowledge): Device {
  // 02… would be a random address, of which the maker is not asked.
  const device = new Device(0, '0/00:00:00:00:00:01', hashText('test'), 0, 1, '00:00:00:00:00:01', 0, '0', 0);
  let maker = '';
  for (const sign of signs) {
    if (sign.source === 'oui') maker = sign.value ?? '';
    else if (sign.source === 'network.role') device.isGateway = true;
    else if (sign.source !== undefined) device.addEvidence(sign.source, sign.value ?? '', 0);
    else {
      const role: RoleKey =
        sign.serves !== undefined
          ? `serves ${sign.serves}`
          : sign.uses !== undefined
            ? `uses ${sign.uses}`
            : sign.client !== undefined
              ? `client ${sign.client}`
              : `server ${sign.server ?? ''}`;
      for (let peer = 1; peer <= (sign.peers ?? 1); peer++) device.roles.note(role, peer, 0);
    }
  }
  createDecider(knowledge, { vendor: () => maker }).decide(device);
  return device;
}
