import { Type } from 'typebox';
import type { Static } from 'typebox';

/** Limits and time-outs of the flow table. Times are event time, in seconds; the defaults are Zeek's. */
export const trackConfig = Type.Object(
  {
    max_flows: Type.Integer({
      default: 262_144,
      minimum: 1024,
      maximum: 4_194_304,
      description: 'Flows tracked at the same time. When full, the flow nearest to its time-out is ended and counted.',
    }),
    tcp_inactive_s: Type.Integer({
      default: 300,
      minimum: 1,
      maximum: 86_400,
      description: 'A TCP flow ends after this much silence.',
    }),
    udp_inactive_s: Type.Integer({
      default: 60,
      minimum: 1,
      maximum: 3600,
      description: 'A UDP flow ends after this much silence.',
    }),
    icmp_inactive_s: Type.Integer({
      default: 60,
      minimum: 1,
      maximum: 3600,
      description: 'An ICMP or other flow ends after this much silence.',
    }),
    tcp_attempt_s: Type.Integer({
      default: 5,
      minimum: 1,
      maximum: 300,
      description: 'A SYN without any answer ends after this.',
    }),
    tcp_close_s: Type.Integer({
      default: 5,
      minimum: 1,
      maximum: 300,
      description: 'How long a closed TCP flow waits for stragglers.',
    }),
    max_stream_bytes: Type.Integer({
      default: 64 << 20,
      minimum: 1 << 20,
      description: 'Bytes of unfinished messages kept over all flows.',
    }),
    max_out_of_order_bytes: Type.Integer({
      default: 65_536,
      minimum: 1460,
      maximum: 1 << 20,
      description: 'Bytes kept out of order in one direction of a flow; beyond it the hole is given up.',
    }),
  },
  { default: {}, additionalProperties: false },
);
export type TrackConfig = Static<typeof trackConfig>;
