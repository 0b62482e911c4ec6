import { createHash } from 'node:crypto';
import type { Decision } from '../alerts/decisions.ts';
import { readActs } from '../baseline/acts.ts';
import type { Config } from '../config/index.ts';
import { dissectors } from '../decode/app/registry.ts';
import { loadDetectors } from '../detect/load.ts';
import type { DetectorSet } from '../detect/load.ts';
import { loadClasses } from '../identity/classes.ts';
import { createDecider } from '../identity/decide.ts';
import { openKnowledge } from '../identity/load.ts';
import type { Knowledge } from '../identity/knowledge.ts';
import { createOuiTable } from '../identity/oui.ts';
import type { ProfileProblem } from '../identity/profiles.ts';
import { HotPath } from './hot-path.ts';
import type { HotPathOutput, HotPathStage } from './hot-path.ts';

export interface HotPathSettings {
  readonly config: Config;
  readonly seed: number;
  readonly stage: HotPathStage;
  readonly output: HotPathOutput;
  readonly productVersion: string;
  /** 16 bytes that key the hashes of identifiers. Derived from the seed where replay must be repeatable. */
  readonly tokenKey?: Uint8Array;
  /** Profiles that are loaded already, for who builds many; they are only read. */
  readonly knowledge?: Knowledge;
  /** A profile that is not right was left out. */
  readonly onProfileProblem?: (problem: ProfileProblem) => void;
  readonly onDetectorFailure?: (id: string, reason: string) => void;
  /** What people decided before the first frame. */
  readonly decisions?: readonly Decision[];
}

export interface BuiltHotPath {
  readonly hotPath: HotPath;
  readonly detectors: DetectorSet;
  /** Why the file of acts on baselines could not be used, and the last good one is; empty where it could. */
  readonly actsRefused: string;
}

/** Puts a hot path together from the configuration: dissectors, detectors, device knowledge. */
export async function buildHotPath(settings: HotPathSettings): Promise<BuiltHotPath> {
  const { config } = settings;
  const detectors = settings.stage === 'all' ? await loadDetectors(config.detection) : { loaded: [], rejected: [] };
  const classes = loadClasses();
  const { acts_file } = config.hotPath.baseline;
  const { acts, refused } = acts_file === '' ? { acts: [], refused: '' } : readActs(acts_file);
  // Before the last stage there are no devices to decide about, and reading the profiles takes time.
  const declared = config.hotPath.identity.knowledge;
  const opened =
    settings.stage !== 'all'
      ? undefined
      : settings.knowledge === undefined
        ? openKnowledge(declared, classes, settings.onProfileProblem)
        : { knowledge: settings.knowledge, oui: createOuiTable(declared.oui_file) };
  const criticality = new Map(opened?.knowledge.profiles.map((profile) => [profile.id, profile.criticality]));
  const hotPath = new HotPath(
    {
      track: config.hotPath.track,
      identity: config.hotPath.identity,
      baseline: config.hotPath.baseline,
      alerts: config.hotPath.alerts,
      seed: settings.seed,
      stage: settings.stage,
      tokenKey: settings.tokenKey ?? tokenKeyOf(settings.seed),
      productVersion: settings.productVersion,
    },
    {
      dissectors: settings.stage === 'all' || settings.stage === 'app' ? dissectors : [],
      detectors: detectors.loaded,
      classes,
      decider: opened === undefined ? { decide: () => undefined } : createDecider(opened.knowledge, opened.oui),
      criticality: (profile) => criticality.get(profile),
      output: settings.output,
      acts,
      ...(settings.decisions === undefined ? {} : { decisions: settings.decisions }),
      ...(settings.onDetectorFailure === undefined ? {} : { onDetectorFailure: settings.onDetectorFailure }),
    },
  );
  return { hotPath, detectors, actsRefused: refused };
}

export function tokenKeyOf(seed: number): Uint8Array {
  return createHash('sha256').update(`wardwatch token key ${seed}`).digest().subarray(0, 16);
}
