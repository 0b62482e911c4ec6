import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openRpc, probeRpc, readRpc, rpcGap } from './parser.ts';
import type { RpcState } from './parser.ts';

/** DCE/RPC over TCP; over named pipes it is read inside SMB. Zeek calls the service `dce_rpc`. */
export const dissector: Dissector<RpcState> = {
  name: 'dce_rpc',
  transport: ['tcp'],
  ports: [135],
  observations,
  events,
  retain: 16_384,
  probe: probeRpc,
  open: openRpc,
  read: readRpc,
  gap: rpcGap,
};
