import type { RowBatch } from '../kernel/rows.ts';
import { encodePcapng } from '../sources/pcap/writer.ts';
import type { HotPathOutput } from './hot-path.ts';

/** The rows that one or more hot paths have made since they were last taken. */
export class GatheredRows {
  #rows = emptyRows();
  #count = 0;
  readonly #remark: string;

  /** @param payload whether evidence holds payload, which its comment says */
  constructor(payload: boolean) {
    this.#remark = payload
      ? 'Frames are cut to 128 bytes and hold payload: handle them like a record of patients.'
      : 'Payload is left out: frames end with their headers, lengths are those of the wire.';
  }

  /** Where hot paths put their rows. Observations are not stored. */
  readonly output: HotPathOutput = {
    alert: (row) => (this.#count++, this.#rows.alerts.push(row)),
    device: (row) => (this.#count++, this.#rows.devices.push(row)),
    channel: (row) => (this.#count++, this.#rows.channels.push(row)),
    address: (row) => (this.#count++, this.#rows.addresses.push(row)),
    identity: (row) => (this.#count++, this.#rows.identities.push(row)),
    evidence: (uid, frames) => {
      this.#count++;
      const comment = `Wardwatch, frames around alert ${uid}. ${this.#remark}`;
      const pcapng = encodePcapng(frames, { comment, userAppl: 'Wardwatch' });
      this.#rows.evidence.push({ uid, frames: frames.count, pcapng });
    },
    flow: (row) => (this.#count++, this.#rows.flows.push(row)),
    score: (row) => (this.#count++, this.#rows.scores.push(row)),
    window: (row) => (this.#count++, this.#rows.windows.push(row)),
  };

  get count(): number {
    return this.#count;
  }

  /** Undefined where there are none. */
  take(): RowBatch | undefined {
    if (this.#count === 0) return undefined;
    const rows = this.#rows;
    this.#rows = emptyRows();
    this.#count = 0;
    return rows;
  }
}

function emptyRows(): Required<Omit<RowBatch, 'observations'>> {
  return {
    alerts: [],
    devices: [],
    channels: [],
    addresses: [],
    identities: [],
    flows: [],
    scores: [],
    windows: [],
    evidence: [],
  };
}
