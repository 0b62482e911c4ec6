import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { MAX_HEAD, openRtsp, probeRtsp, readRtsp, rtspGap } from './parser.ts';
import type { RtspState } from './parser.ts';

/** RTSP: what a viewer asks of a camera. */
export const dissector: Dissector<RtspState> = {
  name: 'rtsp',
  transport: ['tcp'],
  ports: [554, 8554],
  observations,
  events,
  retain: MAX_HEAD,
  probe: probeRtsp,
  open: openRtsp,
  read: readRtsp,
  gap: rtspGap,
};
