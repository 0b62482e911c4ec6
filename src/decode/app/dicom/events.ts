import { number, observation, text, token } from '../../observation.ts';

export const dicomAssociation = observation('dicom.association', 'A-ASSOCIATE-RQ: who asks whom for what.', {
  called_ae: text('Called AE title'),
  calling_ae: text('Calling AE title'),
  implementation_uid: text('Implementation class UID of who asks'),
  implementation_version: text('Implementation version name of who asks'),
  abstract_syntaxes: text('First proposed abstract syntaxes by registered name, separated by blanks'),
  contexts: number('Presentation contexts proposed'),
  max_pdu: number('Most bytes a PDU may have, 0 = any'),
  user_identity: number('Kind of user identity offered: 1 name, 2 name and passcode, 3 Kerberos, 4 SAML, 5 JWT'),
});

export const dicomAccept = observation('dicom.accept', 'A-ASSOCIATE-AC.', {
  called_ae: text('Called AE title, as repeated'),
  calling_ae: text('Calling AE title, as repeated'),
  implementation_uid: text('Implementation class UID of who accepts'),
  implementation_version: text('Implementation version name of who accepts'),
  transfer_syntax: text('First accepted transfer syntax by registered name'),
  contexts: number('Presentation contexts answered'),
  accepted: number('Presentation contexts accepted'),
  max_pdu: number('Most bytes a PDU may have, 0 = any'),
});

export const dicomReject = observation('dicom.reject', 'A-ASSOCIATE-RJ.', {
  result: number('1 permanent, 2 transient'),
  source: number('1 user, 2 provider (ACSE), 3 provider (presentation)'),
  reason: number('Reason, numbered by source (PS3.8 9.3.4)'),
});

export const dicomRelease = observation('dicom.release', 'A-RELEASE-RQ or RP.', {
  response: number('0 request, 1 response'),
});

export const dicomAbort = observation('dicom.abort', 'A-ABORT.', {
  source: number('0 user, 2 provider'),
  reason: number('Reason (PS3.8 9.3.8)'),
});

export const dicomCommand = observation('dicom.command', 'A DIMSE command or its response.', {
  command: text('For instance C-STORE-RQ'),
  sop_class: text('Affected or requested SOP class by registered name'),
  move_destination: text('AE title that a C-MOVE sends to'),
  move_originator: text('AE title that asked for the move this C-STORE belongs to'),
  instance: token('Affected or requested SOP instance UID'),
  message_id: number('Message id, or the one responded to'),
  status: number('Status of a response'),
  dataset: number('1 where a data set follows'),
  context_id: number('Presentation context'),
  remaining: number('Sub-operations remaining'),
  completed: number('Sub-operations completed'),
  failed: number('Sub-operations failed'),
});

export const dicomEvents = [
  'dicom_bad_pdu',
  'dicom_bad_pdv',
  'dicom_bad_item',
  'dicom_bad_command',
  'dicom_long_association',
  'dicom_lost',
] as const;
