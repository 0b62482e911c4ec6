import { Fragment } from 'preact';
import type { AssetBody, Device } from '../../api/schemas.ts';
import type { AddressList, Changes, Channel, Comparison } from '../../api/schemas-inventory.ts';
import { formatBytes, formatCount, formatType, formatValue, formatWords } from '../format.ts';
import { devicePath } from '../router.ts';
import { time } from '../site.ts';
import { Link } from './link.tsx';

const LEVELS = ['info', 'low', 'medium', 'high', 'critical'];

/** Score and level of a risk: never by colour alone. */
export function Risk({ score, level }: { score: number; level: number }) {
  const name = LEVELS[level] ?? 'info';
  return (
    <span class={`risk risk-${name}`}>
      {formatValue(Math.round(score))} <span class="small">{name}</span>
    </span>
  );
}

/** What a risk is made of: the highest severity times the sum of the likelihoods. */
export function RiskParts({ device }: { device: Device }) {
  const part = (of: string) => device.risk.filter((one) => one.of === of);
  return (
    <>
      <p>
        <Risk score={device.risk_score} level={device.risk_level} />
      </p>
      {(['severity', 'likelihood'] as const).map((of) => (
        <div key={of}>
          <h3>{of === 'severity' ? 'Severity: the highest counts' : 'Likelihood: added up'}</h3>
          <ul class="points">
            {part(of).map((one) => (
              <li key={one.part}>
                <span class="number">{formatValue(one.points)}</span> {one.because}
              </li>
            ))}
          </ul>
        </div>
      ))}
    </>
  );
}

const ASSET_FACTS: readonly (readonly [keyof AssetBody, string])[] = [
  ['tag', 'Tag'],
  ['criticality', 'Criticality'],
  ['owner', 'Owner'],
  ['room', 'Room'],
  ['contact', 'Contact'],
  ['serial', 'Serial number'],
  ['name', 'Name'],
];

/** What the maintenance system of the site says of the device. */
export function AssetFacts({ asset }: { asset: AssetBody | null }) {
  if (asset === null) return <p class="muted">No asset of the maintenance system has its address, serial or name.</p>;
  return (
    <dl class="facts">
      {ASSET_FACTS.filter(([field]) => asset[field] !== '').map(([field, name]) => (
        <Fragment key={field}>
          <dt>{name}</dt>
          <dd>{asset[field]}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

const VERDICTS: Record<Comparison['rows'][number]['verdict'], string> = {
  'undeclared-new': 'not declared, new',
  undeclared: 'not declared',
  'no-profile': 'no profile',
  'declared-and-seen': 'as declared',
  'declared-unused': 'declared, never seen',
};

const yes = (is: boolean) => (is ? 'yes' : <span class="muted">no</span>);

export function ComparisonTable({ comparison }: { comparison: Comparison }) {
  if (comparison.rows.length === 0) return <p class="muted">Nothing is declared and nothing was seen yet.</p>;
  return (
    <>
      <p>
        {comparison.profile === null ? (
          'No profile fits this device: there is nothing to compare with.'
        ) : (
          <>
            Declared by <strong>{comparison.profile_title}</strong>: {formatCount(comparison.declared_unused)} never
            seen, {formatCount(comparison.undeclared)} seen and not declared.
          </>
        )}
      </p>
      <div class="scroll" role="region" aria-label="Declared, learned and observed" tabIndex={0}>
        <table class="grid">
          <thead>
            <tr>
              {['Verdict', 'What', 'Declared', 'Learned', 'Observed', 'Peers', 'Commands', 'Outside'].map((name) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {comparison.rows.map((row) => (
              <tr key={`${row.does} ${row.protocol}`}>
                <td class="nowrap">
                  <span class={`verdict verdict-${row.verdict}`}>{VERDICTS[row.verdict]}</span>
                </td>
                <th scope="row">
                  {row.does} {row.protocol}
                  <div class="muted small mono">{row.ports.join(' ')}</div>
                </th>
                <td>
                  {yes(row.declared)}
                  <div class="muted small">{row.declared_peers.join(', ')}</div>
                </td>
                <td>{yes(row.learned)}</td>
                <td>
                  {yes(row.observed)}
                  {row.first_seen !== null && <div class="muted small">since {time.value.full(row.first_seen)}</div>}
                </td>
                <td>{row.peers.map((peer) => formatWords(peer)).join(', ')}</td>
                <td class="small mono">{row.commands.join(', ')}</td>
                <td class="small">{row.external.join(', ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

export function Addresses({ rows }: { rows: AddressList['rows'] }) {
  if (rows.length === 0) return <p class="muted">No address was seen.</p>;
  return (
    <ul class="points">
      {rows.map((row) => (
        <li key={`${row.ip} ${row.first_seen}`}>
          <span class="mono">{row.ip}</span> {row.claimed ? '' : '(used, not claimed) '}
          <span class="muted small">
            {time.value.full(row.first_seen)} to {time.value.full(row.last_seen)}
          </span>
        </li>
      ))}
    </ul>
  );
}

const KINDS: Record<string, string> = {
  appeared: 'appeared',
  channel: 'new channel',
  type: 'type changed',
  vendor_name: 'vendor changed',
  os: 'system changed',
  address: 'address moved',
  gateway: 'is a gateway',
  'same-as': 'likely the same as',
};

export function ChangeList({ rows, withDevice }: { rows: Changes['rows']; withDevice: boolean }) {
  if (rows.length === 0) return <p class="muted">Nothing has changed in this time.</p>;
  return (
    <ol class="changes">
      {rows.map((row, i) => (
        <li key={i}>
          <time class="nowrap muted">{time.value.full(row.time)}</time>
          <div>
            <strong>{KINDS[row.kind] ?? row.kind}</strong>{' '}
            {withDevice && <Link to={devicePath(row.device)}>{row.device}</Link>}{' '}
            {row.before && <span>{row.before} → </span>}
            {row.after && row.kind !== 'gateway' && <span>{row.after} </span>}
            <span class="muted small">{row.reason}</span>
          </div>
        </li>
      ))}
    </ol>
  );
}

const MOST_PEERS = 14;
const ROW = 24;

/** Peers of a device as a picture; the same as a table below it. */
export function DevicePeers({ channels, label }: { channels: readonly Channel[]; label: string }) {
  if (channels.length === 0) return <p class="muted">It was not seen talking to anybody.</p>;
  const shown = channels.filter((channel) => channel.peer !== '*').slice(0, MOST_PEERS);
  const height = shown.length * ROW + 16;
  const middle = height / 2;
  return (
    <>
      <svg viewBox={`0 0 560 ${height}`} class="peers-graph" role="img" aria-label={`Peers of ${label}: see the table`}>
        <circle cx="60" cy={middle} r="7" class="node" />
        {shown.map((channel, i) => {
          const y = 18 + i * ROW;
          return (
            <g key={i}>
              <line x1="67" y1={middle} x2="250" y2={y} class={`edge edge-${channel.encrypted}`} />
              <circle cx="256" cy={y} r="4" class="node" />
              <text x="268" y={y + 4} class="graph-text">
                {(channel.peer_name || channel.peer).slice(0, 40)} ·{' '}
                {channel.service || `${channel.proto}/${channel.port}`}
              </text>
            </g>
          );
        })}
      </svg>
      <div class="scroll" role="region" aria-label="Peers" tabIndex={0}>
        <table class="grid">
          <thead>
            <tr>
              {['Peer', 'What', 'Encrypted', 'Patients', 'Since', 'Last', 'Traffic'].map((name) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {channels.slice(0, 100).map((channel, i) => (
              <tr key={i}>
                <td>
                  {channel.peer_kind === 'device' ? (
                    <Link to={devicePath(channel.peer)}>{channel.peer}</Link>
                  ) : (
                    channel.peer_name || channel.peer
                  )}
                  <div class="muted small">{channel.peer_type ? formatType(channel.peer_type) : channel.peer_kind}</div>
                </td>
                <td>
                  {channel.direction === 'out' ? 'uses' : 'serves'} {channel.service || 'unknown protocol'}
                  <div class="muted small mono">
                    {channel.proto}/{channel.port}
                  </div>
                </td>
                <td>{channel.encrypted}</td>
                <td>{channel.phi}</td>
                <td class="small">{time.value.full(channel.first_seen)}</td>
                <td class="small">{time.value.full(channel.last_seen)}</td>
                <td class="number">{formatBytes(channel.bytes_out + channel.bytes_in)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
