import { observation, text } from '../../observation.ts';
import { clientHello } from '../tls/events.ts';

export const initial = observation('quic.initial', 'First Initial packet of a client.', {
  version: text('Version: `1`, `2`, `draft-29`, `Q046`, …'),
});

export const observations = [initial, clientHello];

export const BAD_PACKET = 'quic.bad_packet';
export const NOT_DECRYPTED = 'quic.not_decrypted';

export const events = [BAD_PACKET, NOT_DECRYPTED];
