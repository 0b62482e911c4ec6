/**
 * Which fields of which observations say something about the device that spoke them. `source` is the name
 * that profiles match on; one line per fact.
 */
export interface EvidenceRule {
  readonly field: string;
  readonly source: string;
  /** Only when this field of the same observation has this value. */
  readonly when?: readonly [string, string];
}

export const EVIDENCE: Readonly<Record<string, readonly EvidenceRule[]>> = {
  'dhcp.message': [
    { field: 'hostname', source: 'dhcp.hostname' },
    { field: 'fqdn', source: 'dhcp.fqdn' },
    { field: 'vendor_class', source: 'dhcp.vendor_class' },
    { field: 'parameters', source: 'dhcp.parameters' },
    { field: 'mud_url', source: 'dhcp.mud_url' },
  ],
  'dicom.association': [
    { field: 'calling_ae', source: 'dicom.ae_title' },
    { field: 'implementation_uid', source: 'dicom.implementation_uid' },
    { field: 'implementation_version', source: 'dicom.implementation_version' },
  ],
  'dicom.accept': [
    { field: 'called_ae', source: 'dicom.ae_title' },
    { field: 'implementation_uid', source: 'dicom.implementation_uid' },
    { field: 'implementation_version', source: 'dicom.implementation_version' },
  ],
  'hl7.message': [
    { field: 'sending_app', source: 'hl7.sending_app' },
    { field: 'sending_facility', source: 'hl7.sending_facility' },
    { field: 'software', source: 'hl7.software' },
  ],
  'hl7.ack': [{ field: 'sending_app', source: 'hl7.sending_app' }],
  'http.request': [{ field: 'user_agent', source: 'http.user_agent' }],
  'http.response': [{ field: 'server', source: 'http.server' }],
  'ssh.banner': [{ field: 'software', source: 'ssh.software' }],
  'ftp.server': [{ field: 'banner', source: 'ftp.banner' }],
  'tls.client_hello': [{ field: 'ja4', source: 'tls.ja4' }],
  'tls.certificate': [
    { field: 'subject_cn', source: 'tls.certificate' },
    { field: 'issuer_cn', source: 'tls.issuer' },
  ],
};
