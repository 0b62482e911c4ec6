import { number, observation, text, token } from '../../observation.ts';

export const clientHello = observation('tls.client_hello', 'First ClientHello of a flow.', {
  version: text('Highest version offered, for instance `TLS 1.3`.'),
  sni: text('Server name asked for.'),
  alpn: text('First application protocol offered.'),
  ja3: text('JA3 fingerprint (MD5, hexadecimal).'),
  ja4: text('JA4 fingerprint.'),
});

export const serverHello = observation('tls.server_hello', 'ServerHello.', {
  version: text('Version chosen.'),
  cipher: text('Cipher suite chosen, four hexadecimal digits of the IANA registry.'),
});

export const certificate = observation('tls.certificate', 'First certificate of a chain, where it travels in clear.', {
  subject_cn: text('Common name of the subject (left out for a client certificate that looks like a person).'),
  subject_org: text('Organisation of the subject.'),
  issuer_cn: text('Common name of the issuer.'),
  issuer_org: text('Organisation of the issuer.'),
  not_before: number('Start of validity, epoch seconds.'),
  not_after: number('End of validity, epoch seconds.'),
  self_signed: number('1 where issuer and subject are the same.'),
  from_client: number('1 where the client showed it.'),
  certificate: token('The certificate itself.'),
});

export const alert = observation('tls.alert', 'Alert in clear.', {
  level: number('1 warning, 2 fatal.'),
  description: number('AlertDescription of RFC 8446 section 6.'),
});

export const observations = [clientHello, serverHello, certificate, alert];

export const BAD_RECORD = 'tls.bad_record';
export const BAD_HANDSHAKE = 'tls.bad_handshake';
export const BAD_CERTIFICATE = 'tls.bad_certificate';
export const HANDSHAKE_TOO_LONG = 'tls.handshake_too_long';

export const events = [BAD_RECORD, BAD_HANDSHAKE, BAD_CERTIFICATE, HANDSHAKE_TOO_LONG];
