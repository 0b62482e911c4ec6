import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { httpGap, MAX_HEAD, openHttp, probeHttp, readHttp } from './parser.ts';
import type { HttpState } from './parser.ts';

/** HTTP/1, with the resource types of FHIR servers and the messages of IEEE 11073 SDC; HTTP/2 is recognised and not read. */
export const dissector: Dissector<HttpState> = {
  name: 'http',
  transport: ['tcp'],
  ports: [80, 8080, 8000, 8081, 8888, 3128, 5000, 5985],
  observations,
  events,
  retain: MAX_HEAD,
  carriesPhi: true,
  probe: probeHttp,
  open: openHttp,
  read: readHttp,
  gap: httpGap,
};
