import { useState } from 'preact/hooks';
import type { Flow } from '../../api/schemas.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import { time } from '../site.ts';

/** Meanings of Zeek's connection states, for the title of the cell. */
const STATES: Record<string, string> = {
  S0: 'attempt seen, no answer',
  S1: 'established, not ended',
  SF: 'established and ended',
  REJ: 'attempt rejected',
  S2: 'closed by the opener only',
  S3: 'closed by the answerer only',
  RSTO: 'reset by the opener',
  RSTR: 'reset by the answerer',
  RSTOS0: 'opener sent SYN, then reset',
  RSTRH: 'answerer sent SYN-ACK, then reset',
  SH: 'opener sent SYN, then FIN',
  SHR: 'answerer sent SYN-ACK, then FIN',
  OTH: 'seen from the middle',
};

/** As many as fit a glance; the rest is behind a button. */
const FIRST_ROWS = 15;

/** Flows as a table; those with an address in `marked` stand out. */
export function Flows({ rows, marked }: { rows: Flow[]; marked?: ReadonlySet<string | undefined> }) {
  const [all, setAll] = useState(false);
  const [others, setOthers] = useState(false);
  const isMarked = (flow: Flow): boolean =>
    marked !== undefined && (marked.has(flow['id.orig_h']) || marked.has(flow['id.resp_h']));
  const telling = rows.filter(isMarked);
  const chosen = others || telling.length === 0 ? rows : telling;
  const shown = all ? chosen : chosen.slice(0, FIRST_ROWS);
  return (
    <>
      {telling.length > 0 && telling.length < rows.length && (
        <div class="chips" role="group" aria-label="Which flows">
          <button type="button" class="chip" aria-pressed={!others} onClick={() => setOthers(false)}>
            with the evidence <b>{formatCount(telling.length)}</b>
          </button>
          <button type="button" class="chip" aria-pressed={others} onClick={() => setOthers(true)}>
            all <b>{formatCount(rows.length)}</b>
          </button>
        </div>
      )}
      <div class="scroll" role="region" aria-label="Flows" tabIndex={0}>
        <table class="grid flows">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">Service</th>
              <th scope="col" class="number">
                Sent
              </th>
              <th scope="col" class="number">
                Received
              </th>
              <th scope="col" class="number">
                Duration
              </th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((flow) => (
              <tr key={flow.uid} class={others && isMarked(flow) ? 'marked' : undefined}>
                <td class="nowrap">
                  {time.value.full(flow.ts * 1000)}
                  {isMarked(flow) && <span class="visually-hidden"> with an address of the evidence</span>}
                </td>
                <td class="mono">
                  {flow['id.orig_h']}
                  <span class="muted">:{flow['id.orig_p']}</span>
                </td>
                <td class="mono">
                  {flow['id.resp_h']}
                  <span class="muted">:{flow['id.resp_p']}</span>
                </td>
                <td>{flow.service || <span class="muted">{flow.proto}</span>}</td>
                <td class="number">{formatBytes(flow.orig_bytes)}</td>
                <td class="number">{formatBytes(flow.resp_bytes)}</td>
                <td class="number">{formatDuration(flow.duration)}</td>
                <td class="mono" title={STATES[flow.conn_state]}>
                  {flow.conn_state}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < chosen.length && (
        <button type="button" class="more" onClick={() => setAll(true)}>
          Show all {chosen.length}
        </button>
      )}
    </>
  );
}
