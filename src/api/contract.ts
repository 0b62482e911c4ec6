import type { Access } from '../access/index.ts';
import type { EvidenceSource } from '../desk/evidence.ts';
import type { Merges } from '../desk/inventory.ts';
import type { Assets } from '../desk/assets.ts';
import type { DeliveryDesk } from '../desk/index.ts';
import type { Triage } from '../desk/triage.ts';
import type { Reporter } from '../kernel/component.ts';
import type { AlertRow, DeviceRow } from '../kernel/rows.ts';
import type { Store } from '../store/contract.ts';
import type { PipelineStatus } from './pipeline-status.ts';

export { detectorStatusSchema, pipelineStatusSchema } from './pipeline-status.ts';
export type { DetectorStatus, PipelineStatus } from './pipeline-status.ts';

/** What happens while someone looks on. Rows are given after they are safe in the store. */
export type LiveEvent =
  | { type: 'alert'; change: 'created' | 'updated'; row: AlertRow }
  | { type: 'device'; change: 'created' | 'updated'; row: DeviceRow }
  | { type: 'status'; status: PipelineStatus }
  /** People or rules have changed what is made of alerts: their uids, or so many that only the number is told. */
  | { type: 'triage'; uids: readonly string[]; total: number };

/** Whether requests can be served, check by check. */
export interface Readiness {
  ok: boolean;
  checks: { name: string; ok: boolean; detail?: string }[];
}

/** All that the API needs from the rest of the program. */
export interface ApiDeps {
  store: Store;
  /** People and the audit log. */
  access: Access;
  /** What people make of alerts; without it the queue is the plain list of alerts. */
  triage?: Triage;
  /** What the maintenance system of the site knows of devices. */
  assets?: Assets;
  /** How delivery goes; undefined where there is no endpoint. */
  delivery?: () => ReturnType<DeliveryDesk['status']> | undefined;
  /** Which devices people have said to be one. */
  merges?: Merges;
  /** Frames around alerts. */
  evidence?: EvidenceSource;
  reporter: Reporter;
  /** Version of Wardwatch, as in package.json. */
  version: string;
  /** Folder with the console's build (`index.html`, `assets/`); may be absent, the API works without it. */
  consoleDir: string;
  /** Must answer at once from memory: it is asked on every request of the console. */
  status(): PipelineStatus;
  /** Calls `listener` in the order of happening until the function it gives back is called. */
  subscribe(listener: (event: LiveEvent) => void): () => void;
  /** The Prometheus text exposition. */
  metrics(): Promise<string>;
  ready(): Promise<Readiness>;
}
