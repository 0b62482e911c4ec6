/**
 * Network segments: a VLAN stack with a VNI, interned to a small number, because the same address in two
 * segments is two different endpoints.
 */
const MAX_SEGMENTS = 65_535;

export class SegmentTable {
  readonly vlan: number[] = [0];
  readonly vni: number[] = [0];
  #ids = new Map<number, number>([[0, 0]]);
  #lastKey = 0;
  #lastId = 0;
  /** Id + 1 by VLAN id, for segments of one tag and no VNI, which nearly all are; 0 = not seen yet. */
  readonly #byVlan = new Uint16Array(4096);

  constructor() {
    this.#byVlan[0] = 1;
  }
  /** Packets of segments beyond the limit, which were taken for segment 0. */
  overflow = 0;

  /** `vlan` as in the packet columns: outer id | inner id << 12. */
  id(vlan: number, vni: number): number {
    const key = vni * 16_777_216 + vlan;
    if (key === this.#lastKey) return this.#lastId;
    let id = this.#ids.get(key);
    if (id === undefined) {
      if (this.vlan.length >= MAX_SEGMENTS) {
        this.overflow++;
        return 0;
      }
      id = this.vlan.length;
      this.vlan.push(vlan);
      this.vni.push(vni);
      this.#ids.set(key, id);
    }
    if (key < 4096) this.#byVlan[key] = id + 1;
    this.#lastKey = key;
    this.#lastId = id;
    return id;
  }

  /** The number of a segment that has one and is quickly found, else -1. */
  known(vlan: number, vni: number): number {
    if (vni !== 0) return vni * 16_777_216 + vlan === this.#lastKey ? this.#lastId : -1;
    return vlan < 4096 ? this.#byVlan[vlan]! - 1 : vlan === this.#lastKey ? this.#lastId : -1;
  }

  /** @cold with every snapshot */
  save(): unknown {
    return { vlan: this.vlan, vni: this.vni, overflow: this.overflow };
  }

  /** Into a table that has seen nothing yet. */
  restore(saved: unknown): void {
    const { vlan, vni, overflow } = saved as { vlan: number[]; vni: number[]; overflow: number };
    for (let i = 1; i < vlan.length; i++) this.id(vlan[i]!, vni[i]!);
    this.overflow = overflow;
  }

  /**
   * `220`, `10.220` (outer.inner), `220/5001` with a VNI; empty for untagged.
   *
   * @cold once a device or row
   */
  name(id: number): string {
    const vlan = this.vlan[id] ?? 0;
    const vni = this.vni[id] ?? 0;
    const outer = vlan & 0xfff;
    const inner = vlan >>> 12;
    const text = outer === 0 ? '' : inner === 0 ? String(outer) : `${outer}.${inner}`;
    return vni === 0 ? text : `${text}/${vni}`;
  }
}
