import { equalsAnyCase, findAnyCase, isDigit, isLetter, lowerCase } from '../../../lib/ascii.ts';

/**
 * The shape of a path: what a request is about, without whom. A segment stays only where it is a plain word;
 * one that could be an identifier or a name becomes `{id}`:
 *
 *     segment   = kept | "{id}" | "{id}" "." extension
 *     kept      = version ("v1", "R4", "stu3") | "$" operation | "_" word | word | word "." web-extension
 *     word      = letters, "-", "_", at most 24 of them, none behind a collection of people or things
 *
 * Percent escapes, digits, more than 24 characters or any other character make an identifier. What follows a
 * collection (`patients`, `Observation`, `users`, …) is an identifier even where it is a plain word, for it
 * may be a name.
 */
const MAX_SHAPE = 128;
const MAX_WORD = 24;
const BLANK = '{id}';

/** Singular and lower case; a plural `s`, `es` or `ies` is understood. */
const COLLECTIONS = [
  'patient', 'person', 'user', 'member', 'account', 'subject', 'practitioner', 'physician', 'doctor', 'nurse', 'staff',
  'encounter', 'visit', 'admission', 'case', 'stud', 'study', 'serie', 'series', 'instance', 'order', 'result', 'report', 'record',
  'document', 'file', 'folder', 'name', 'people', 'bed', 'room', 'ward', 'mrn', 'id', 'key', 'token', 'session',
  'customer', 'contact', 'employee', 'client', 'sample', 'specimen', 'worklist', 'download', 'upload', 'home', 'profile',
]; // prettier-ignore

/** Words that stay behind a collection: they are actions. */
const ACTIONS = ['search', 'list', 'new', 'metadata', 'count', 'login', 'logout', 'add', 'edit', 'all', 'studies', 'series', 'instances', 'frames', 'rendered', 'thumbnail', 'status', 'config', 'settings', 'api', 'upload', 'download']; // prettier-ignore

/** Files of a web application keep their names; those of data do not. */
const WEB_EXTENSIONS = ['html', 'htm', 'js', 'css', 'php', 'asp', 'aspx', 'jsp', 'do', 'cgi', 'pl', 'py', 'sh', 'ico', 'svg', 'woff', 'woff2', 'map', 'wsdl', 'xsd', 'asmx', 'svc', 'action', 'well-known']; // prettier-ignore

const RESOURCES = new Set(
  `Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary
  BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem
  ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest
  CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest
  CoverageEligibilityResponse DetectedIssue Device DeviceAlert DeviceDefinition DeviceMetric DeviceRequest
  DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint
  EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario
  ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService
  ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice
  Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration MedicationDispense
  MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct MessageDefinition MessageHeader
  MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition OperationOutcome
  Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition
  Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup
  ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis
  Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap Subscription
  Substance SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript
  ValueSet VerificationResult VisionPrescription`.split(/\s+/),
);

/** Types whose names are ordinary words: FHIR only where something else says so. */
const ORDINARY = new Set(
  'Account Basic Binary Bundle Claim Communication Consent Contract Coverage Device Endpoint Evidence Flag Goal Group Invoice Library Linkage List Location Measure Media Organization Parameters Person Schedule Slot Subscription Substance Task'.split(
    ' ',
  ),
);

export interface PathShape {
  /** The shape, ASCII, in the first `length` bytes. */
  readonly bytes: Uint8Array;
  length: number;
  /** FHIR resource type, empty where there is none. */
  resource: string;
}

export function createPathShape(): PathShape {
  return { bytes: new Uint8Array(MAX_SHAPE), length: 0, resource: '' };
}

/** Writes the shape of the path in `[start, end)` (from its first `/`, without query) into `out`. */
export function shapePath(bytes: Uint8Array, start: number, end: number, saysFhir: boolean, out: PathShape): void {
  out.length = 0;
  out.resource = '';
  const fhir = saysFhir || findAnyCase(bytes, start, end, 'fhir') >= 0;
  let behindCollection = false;
  let at = start;
  // The shape is cut at its maximal length, so the work is bounded by the segments that fit.
  while (at < end && out.length < MAX_SHAPE) {
    if (bytes[at] === 0x2f) {
      put(out, '/');
      at++;
      continue;
    }
    let to = at;
    while (to < end && bytes[to] !== 0x2f) to++;
    behindCollection = shapeSegment(bytes, at, to, fhir, behindCollection, out);
    at = to;
  }
}

function put(out: PathShape, text: string): void {
  for (let i = 0; i < text.length && out.length < MAX_SHAPE; i++) out.bytes[out.length++] = text.charCodeAt(i);
}

function copy(out: PathShape, bytes: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to && out.length < MAX_SHAPE; i++) out.bytes[out.length++] = bytes[i]!;
}

/** Writes one segment; true where the next one is an identifier by its place. */
function shapeSegment(
  bytes: Uint8Array,
  from: number,
  to: number,
  fhir: boolean,
  behindCollection: boolean,
  out: PathShape,
): boolean {
  if (isVersion(bytes, from, to)) {
    copy(out, bytes, from, to);
    return false;
  }
  const operation = bytes[from] === 0x24 || bytes[from] === 0x5f;
  const wordFrom = operation ? from + 1 : from;
  if (isWord(bytes, wordFrom, to)) {
    const resource = resourceType(bytes, from, to);
    if (behindCollection && !operation && resource === '' && !isOneOf(bytes, from, to, ACTIONS)) {
      put(out, BLANK);
      return false;
    }
    copy(out, bytes, from, to);
    if (resource !== '' && (fhir || !ORDINARY.has(resource))) {
      out.resource = resource;
      return true;
    }
    return isCollection(bytes, from, to);
  }
  let dot = to;
  while (dot > from && bytes[dot - 1] !== 0x2e) dot--;
  if (dot > from && isOneOf(bytes, dot, to, WEB_EXTENSIONS)) {
    if (isWord(bytes, from, dot - 1) && !behindCollection) copy(out, bytes, from, dot - 1);
    else put(out, BLANK);
    copy(out, bytes, dot - 1, to);
    return false;
  }
  put(out, BLANK);
  if (dot > from + 1 && isExtension(bytes, dot, to)) copy(out, bytes, dot - 1, to);
  return false;
}

/** `v1`, `v2.0`, `R4`, `r4b`, `stu3`, `dstu2`, `1.0`. */
function isVersion(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  const first = lowerCase(bytes[at]!);
  if (first === 0x76 || first === 0x72) at++;
  else if (equalsAnyCase(bytes, from, Math.min(to, from + 3), 'stu')) at += 3;
  else if (equalsAnyCase(bytes, from, Math.min(to, from + 4), 'dstu')) at += 4;
  if (at === from || at >= to || to - at > 3 || !isDigit(bytes[at]!)) return false;
  return to - at === 1 || (to - at === 3 && bytes[at + 1] === 0x2e && isDigit(bytes[at + 2]!));
}

function isWord(bytes: Uint8Array, from: number, to: number): boolean {
  if (to <= from || to - from > MAX_WORD) return false;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (!isLetter(byte) && byte !== 0x2d && byte !== 0x5f) return false;
  }
  return !looksHexadecimal(bytes, from, to);
}

/** Eight or more of the letters a to f and nothing else: a hash that happens to have no digit. */
function looksHexadecimal(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < 8) return false;
  for (let i = from; i < to; i++) {
    const lower = lowerCase(bytes[i]!);
    if (lower !== 0x2d && (lower < 0x61 || lower > 0x66)) return false;
  }
  return true;
}

/** Two to five letters, as the ends of names of data files are. */
function isExtension(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < 2 || to - from > 5) return false;
  for (let i = from; i < to; i++) if (!isLetter(bytes[i]!)) return false;
  return true;
}

function isOneOf(bytes: Uint8Array, from: number, to: number, words: readonly string[]): boolean {
  for (let i = 0; i < words.length; i++) if (equalsAnyCase(bytes, from, to, words[i]!)) return true;
  return false;
}

function isCollection(bytes: Uint8Array, from: number, to: number): boolean {
  if (isOneOf(bytes, from, to, COLLECTIONS)) return true;
  if (lowerCase(bytes[to - 1]!) !== 0x73) return false;
  if (isOneOf(bytes, from, to - 1, COLLECTIONS)) return true;
  return equalsAnyCase(bytes, Math.max(from, to - 3), to, 'ies') && isOneOf(bytes, from, to - 3, COLLECTIONS);
}

function resourceType(bytes: Uint8Array, from: number, to: number): string {
  const first = bytes[from]!;
  if (first < 0x41 || first > 0x5a || to - from > 30) return '';
  let word = '';
  for (let i = from; i < to; i++) word += String.fromCharCode(bytes[i]!);
  return RESOURCES.has(word) ? word : '';
}
