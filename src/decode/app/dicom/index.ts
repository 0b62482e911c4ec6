import type { Dissector } from '../../dissector.ts';
import { RESP } from '../../dissector.ts';
import {
  dicomAbort,
  dicomAccept,
  dicomAssociation,
  dicomCommand,
  dicomEvents,
  dicomReject,
  dicomRelease,
} from './events.ts';
import { createHalf, looksLikePdu, readDicom } from './parser.ts';
import type { DicomState } from './parser.ts';

/** DICOM associations and commands, on any port; data sets are skipped. */
export const dissector: Dissector<DicomState> = {
  name: 'dicom',
  transport: ['tcp'],
  ports: [104, 11112, 4242, 2761],
  observations: [dicomAssociation, dicomAccept, dicomReject, dicomRelease, dicomAbort, dicomCommand],
  events: dicomEvents,
  carriesPhi: true,
  retain: 65536,
  probe({ bytes, start, end, first }) {
    const sign = looksLikePdu(bytes, start, end);
    if (sign > 0) return 'yes';
    return sign === 0 || !first ? 'more' : 'no';
  },
  open: () => ({ orig: createHalf(), resp: createHalf() }),
  read: (state, payload, out) => readDicom(payload.direction === RESP ? state.resp : state.orig, payload, out),
  gap(state, direction) {
    const half = direction === RESP ? state.resp : state.orig;
    half.left = 0;
    half.part = undefined;
    half.lost = true;
  },
};
