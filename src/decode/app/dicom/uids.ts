/** Registered names of unique identifiers that are met often (DICOM PS3.6 annex A), without blanks. */
const NAMES: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.1': 'Verification',
  '1.2.840.10008.1.2': 'ImplicitVRLittleEndian',
  '1.2.840.10008.1.2.1': 'ExplicitVRLittleEndian',
  '1.2.840.10008.1.2.1.99': 'DeflatedExplicitVRLittleEndian',
  '1.2.840.10008.1.2.2': 'ExplicitVRBigEndian',
  '1.2.840.10008.1.2.4.50': 'JPEGBaseline8Bit',
  '1.2.840.10008.1.2.4.51': 'JPEGExtended12Bit',
  '1.2.840.10008.1.2.4.57': 'JPEGLossless',
  '1.2.840.10008.1.2.4.70': 'JPEGLosslessSV1',
  '1.2.840.10008.1.2.4.80': 'JPEGLSLossless',
  '1.2.840.10008.1.2.4.81': 'JPEGLSNearLossless',
  '1.2.840.10008.1.2.4.90': 'JPEG2000Lossless',
  '1.2.840.10008.1.2.4.91': 'JPEG2000',
  '1.2.840.10008.1.2.4.100': 'MPEG2MPML',
  '1.2.840.10008.1.2.4.102': 'MPEG4HP41',
  '1.2.840.10008.1.2.5': 'RLELossless',
  '1.2.840.10008.1.3.10': 'MediaStorageDirectoryStorage',
  '1.2.840.10008.1.20.1': 'StorageCommitmentPushModel',
  '1.2.840.10008.1.40': 'ProceduralEventLogging',
  '1.2.840.10008.3.1.2.3.3': 'ModalityPerformedProcedureStep',
  '1.2.840.10008.3.1.2.3.4': 'ModalityPerformedProcedureStepRetrieve',
  '1.2.840.10008.3.1.2.3.5': 'ModalityPerformedProcedureStepNotification',
  '1.2.840.10008.5.1.1.1': 'BasicFilmSession',
  '1.2.840.10008.5.1.1.2': 'BasicFilmBox',
  '1.2.840.10008.5.1.1.4': 'BasicGrayscaleImageBox',
  '1.2.840.10008.5.1.1.9': 'BasicGrayscalePrintManagementMeta',
  '1.2.840.10008.5.1.1.14': 'PrintJob',
  '1.2.840.10008.5.1.1.16': 'Printer',
  '1.2.840.10008.5.1.1.18': 'BasicColorPrintManagementMeta',
  '1.2.840.10008.5.1.1.23': 'PresentationLUT',
  '1.2.840.10008.5.1.4.1.1.1': 'ComputedRadiographyImageStorage',
  '1.2.840.10008.5.1.4.1.1.1.1': 'DigitalXRayImageStorageForPresentation',
  '1.2.840.10008.5.1.4.1.1.1.1.1': 'DigitalXRayImageStorageForProcessing',
  '1.2.840.10008.5.1.4.1.1.1.2': 'DigitalMammographyXRayImageStorageForPresentation',
  '1.2.840.10008.5.1.4.1.1.1.2.1': 'DigitalMammographyXRayImageStorageForProcessing',
  '1.2.840.10008.5.1.4.1.1.1.3': 'DigitalIntraOralXRayImageStorageForPresentation',
  '1.2.840.10008.5.1.4.1.1.2': 'CTImageStorage',
  '1.2.840.10008.5.1.4.1.1.2.1': 'EnhancedCTImageStorage',
  '1.2.840.10008.5.1.4.1.1.3.1': 'UltrasoundMultiFrameImageStorage',
  '1.2.840.10008.5.1.4.1.1.4': 'MRImageStorage',
  '1.2.840.10008.5.1.4.1.1.4.1': 'EnhancedMRImageStorage',
  '1.2.840.10008.5.1.4.1.1.4.2': 'MRSpectroscopyStorage',
  '1.2.840.10008.5.1.4.1.1.6.1': 'UltrasoundImageStorage',
  '1.2.840.10008.5.1.4.1.1.6.2': 'EnhancedUSVolumeStorage',
  '1.2.840.10008.5.1.4.1.1.7': 'SecondaryCaptureImageStorage',
  '1.2.840.10008.5.1.4.1.1.7.2': 'MultiFrameGrayscaleByteSecondaryCaptureImageStorage',
  '1.2.840.10008.5.1.4.1.1.9.1.1': 'TwelveLeadECGWaveformStorage',
  '1.2.840.10008.5.1.4.1.1.9.1.2': 'GeneralECGWaveformStorage',
  '1.2.840.10008.5.1.4.1.1.9.2.1': 'HemodynamicWaveformStorage',
  '1.2.840.10008.5.1.4.1.1.11.1': 'GrayscaleSoftcopyPresentationStateStorage',
  '1.2.840.10008.5.1.4.1.1.12.1': 'XRayAngiographicImageStorage',
  '1.2.840.10008.5.1.4.1.1.12.1.1': 'EnhancedXAImageStorage',
  '1.2.840.10008.5.1.4.1.1.12.2': 'XRayRadiofluoroscopicImageStorage',
  '1.2.840.10008.5.1.4.1.1.13.1.3': 'BreastTomosynthesisImageStorage',
  '1.2.840.10008.5.1.4.1.1.20': 'NuclearMedicineImageStorage',
  '1.2.840.10008.5.1.4.1.1.66': 'RawDataStorage',
  '1.2.840.10008.5.1.4.1.1.77.1.1.1': 'VideoEndoscopicImageStorage',
  '1.2.840.10008.5.1.4.1.1.77.1.4': 'VLPhotographicImageStorage',
  '1.2.840.10008.5.1.4.1.1.77.1.5.1': 'OphthalmicPhotography8BitImageStorage',
  '1.2.840.10008.5.1.4.1.1.88.11': 'BasicTextSRStorage',
  '1.2.840.10008.5.1.4.1.1.88.22': 'EnhancedSRStorage',
  '1.2.840.10008.5.1.4.1.1.88.33': 'ComprehensiveSRStorage',
  '1.2.840.10008.5.1.4.1.1.88.59': 'KeyObjectSelectionDocumentStorage',
  '1.2.840.10008.5.1.4.1.1.88.67': 'XRayRadiationDoseSRStorage',
  '1.2.840.10008.5.1.4.1.1.104.1': 'EncapsulatedPDFStorage',
  '1.2.840.10008.5.1.4.1.1.104.2': 'EncapsulatedCDAStorage',
  '1.2.840.10008.5.1.4.1.1.128': 'PositronEmissionTomographyImageStorage',
  '1.2.840.10008.5.1.4.1.1.481.1': 'RTImageStorage',
  '1.2.840.10008.5.1.4.1.1.481.2': 'RTDoseStorage',
  '1.2.840.10008.5.1.4.1.1.481.3': 'RTStructureSetStorage',
  '1.2.840.10008.5.1.4.1.1.481.5': 'RTPlanStorage',
  '1.2.840.10008.5.1.4.1.2.1.1': 'PatientRootQueryRetrieveFind',
  '1.2.840.10008.5.1.4.1.2.1.2': 'PatientRootQueryRetrieveMove',
  '1.2.840.10008.5.1.4.1.2.1.3': 'PatientRootQueryRetrieveGet',
  '1.2.840.10008.5.1.4.1.2.2.1': 'StudyRootQueryRetrieveFind',
  '1.2.840.10008.5.1.4.1.2.2.2': 'StudyRootQueryRetrieveMove',
  '1.2.840.10008.5.1.4.1.2.2.3': 'StudyRootQueryRetrieveGet',
  '1.2.840.10008.5.1.4.1.2.3.1': 'PatientStudyOnlyQueryRetrieveFind',
  '1.2.840.10008.5.1.4.31': 'ModalityWorklistFind',
  '1.2.840.10008.5.1.4.32.1': 'GeneralPurposeWorklistFind',
  '1.2.840.10008.5.1.4.33': 'InstanceAvailabilityNotification',
  '1.2.840.10008.5.1.4.34.6.1': 'UnifiedProcedureStepPush',
  '1.2.840.10008.5.1.4.34.6.3': 'UnifiedProcedureStepPull',
};

/** Longest UID (PS3.5 section 9). */
export const UID_BYTES = 64;

/**
 * The registered name of the UID in the range, the UID itself where it is not in the table, undefined
 * where it is none (only digits and dots are one; a trailing NUL or blank is padding).
 */
export function uidName(bytes: Uint8Array, start: number, end: number): string | undefined {
  while (end > start && (bytes[end - 1] === 0 || bytes[end - 1] === 0x20)) end--;
  if (end <= start || end - start > UID_BYTES) return undefined;
  let uid = '';
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte !== 0x2e && (byte < 0x30 || byte > 0x39)) return undefined;
    uid += String.fromCharCode(byte);
  }
  return NAMES[uid] ?? uid;
}
