import { FlowTable, TCP_STATE } from './flow-table.ts';

/** Zeek's conn_state of a flow. */
export function connState(flows: FlowTable, slot: number): string {
  const proto = flows.meta(slot) & 255;
  if (proto === 6) {
    const o = flows.origState(slot);
    const r = flows.respState(slot);
    const origInactive = o === TCP_STATE.inactive || o === TCP_STATE.partial;
    const respInactive = r === TCP_STATE.inactive || r === TCP_STATE.partial;
    if (r === TCP_STATE.reset) {
      if (
        o === TCP_STATE.synSent ||
        o === TCP_STATE.synAckSent ||
        (o === TCP_STATE.reset && flows.origBytes(slot) === 0 && flows.respBytes(slot) === 0)
      )
        return 'REJ';
      return origInactive ? 'RSTRH' : 'RSTR';
    }
    if (o === TCP_STATE.reset) return respInactive ? 'RSTOS0' : 'RSTO';
    if (r === TCP_STATE.closed && o === TCP_STATE.closed) return 'SF';
    if (o === TCP_STATE.closed) return respInactive ? 'SH' : 'S2';
    if (r === TCP_STATE.closed) return origInactive ? 'SHR' : 'S3';
    if (o === TCP_STATE.synSent && r === TCP_STATE.inactive) return 'S0';
    if (o === TCP_STATE.established && r === TCP_STATE.established) return 'S1';
    return 'OTH';
  }
  if (proto === 17) {
    if (flows.origPkts(slot) > 0) return flows.respPkts(slot) > 0 ? 'SF' : 'S0';
    return flows.respPkts(slot) > 0 ? 'SHR' : 'OTH';
  }
  return 'OTH';
}

export function historyText(flows: FlowTable, slot: number): string {
  let text = '';
  const n = flows.historyLen(slot);
  for (let i = 0; i < n; i++) text += String.fromCharCode(flows.historyAt(slot, i));
  return text;
}
