import type { Flow } from '../../api/schemas.ts';
import { formatBytes, formatCount } from '../format.ts';

export interface Peer {
  readonly address: string;
  readonly before: number;
  readonly after: number;
  readonly bytes: number;
}

/** Whom a device talked to before and from the start of an alert on, by its flows; the busiest first, new ones on top. */
export function peersOf(flows: readonly Flow[], own: ReadonlySet<string>, startMs: number, most = 12): Peer[] {
  const peers = new Map<string, { address: string; before: number; after: number; bytes: number }>();
  for (const flow of flows) {
    const address = own.has(flow['id.orig_h']) ? flow['id.resp_h'] : flow['id.orig_h'];
    const peer = peers.get(address) ?? { address, before: 0, after: 0, bytes: 0 };
    if (flow.ts * 1000 < startMs) peer.before++;
    else peer.after++;
    peer.bytes += flow.orig_bytes + flow.resp_bytes;
    peers.set(address, peer);
  }
  const isNew = (peer: Peer): number => (peer.before === 0 ? 1 : 0);
  return [...peers.values()].sort((a, b) => isNew(b) - isNew(a) || b.bytes - a.bytes).slice(0, most);
}

const ROW = 26;

/** The same peers as a picture: before the alert on the left, since on the right; what is new is dashed. */
export function PeersGraph({ peers, label }: { peers: readonly Peer[]; label: string }) {
  if (peers.length === 0) return <p class="muted">No flows of this device are kept around the alert.</p>;
  const height = Math.max(90, peers.length * ROW + 16);
  const middle = height / 2;
  const y = (i: number): number => 16 + i * ROW + (height - 16 - peers.length * ROW) / 2;
  const width = (flows: number): number => Math.min(6, 1 + Math.log2(flows + 1) * 0.8);
  return (
    <div class="peers">
      <svg viewBox={`0 0 560 ${height}`} class="peers-graph" role="img" aria-label={`Peers of ${label}: see the table`}>
        {peers.map((peer, i) => (
          <g key={peer.address}>
            {peer.before > 0 && (
              <path
                d={`M140 ${y(i)}C200 ${y(i)} 210 ${middle} 252 ${middle}`}
                class="edge"
                stroke-width={width(peer.before)}
              />
            )}
            {peer.after > 0 && (
              <path
                d={`M308 ${middle}C350 ${middle} 360 ${y(i)} 420 ${y(i)}`}
                class={peer.before === 0 ? 'edge edge-new' : 'edge'}
                stroke-width={width(peer.after)}
              />
            )}
            {peer.before > 0 && (
              <text x="134" y={y(i) + 4} text-anchor="end">
                {peer.address}
              </text>
            )}
            {peer.after > 0 && (
              <text x="426" y={y(i) + 4} class={peer.before === 0 ? 'peer-new' : undefined}>
                {peer.address}
              </text>
            )}
          </g>
        ))}
        <circle cx="280" cy={middle} r="26" class="node" />
        <text x="280" y={middle + 4} text-anchor="middle">
          device
        </text>
      </svg>
      <div class="scroll" role="region" aria-label="Peers before and after" tabIndex={0}>
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">Peer</th>
              <th scope="col" class="number">
                Flows before
              </th>
              <th scope="col" class="number">
                Since
              </th>
              <th scope="col" class="number">
                Bytes
              </th>
            </tr>
          </thead>
          <tbody>
            {peers.map((peer) => (
              <tr key={peer.address}>
                <th scope="row" class="mono">
                  {peer.address}
                  {peer.before === 0 && <span class="tag">new</span>}
                </th>
                <td class="number">{formatCount(peer.before)}</td>
                <td class="number">{formatCount(peer.after)}</td>
                <td class="number">{formatBytes(peer.bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
