import type { VendorsSpec } from './profile-schema.ts';
import { compilePattern } from './pattern.ts';

export interface Vendor {
  readonly name: string;
  /** See `kind` in profiles/vendors.json. */
  readonly kind: 'maker' | 'computer' | 'component';
}

/** One spelling for each maker, and makers by the numbers under which they are registered. */
export interface Vendors {
  /** Every spelling leads to the same name; an unknown maker keeps its own without its legal form. */
  canonical(text: string): Vendor;
  /** IANA Private Enterprise Numbers. */
  byEnterprise(number: string): string | undefined;
  /** BACnet vendor identifiers of ASHRAE. */
  byBacnet(number: string): string | undefined;
  /** Root of a DICOM implementation class UID. Toolkits, which many makers use, have none. */
  byDicomUid(uid: string): string | undefined;
  /** A host of a cloud to which the devices of one maker go, and nobody with a browser. */
  byCloud(host: string): string | undefined;
}

const LEGAL =
  /(,|\s)+(incorporated|inc|corporation|corp|company|co|limited|ltd|llc|gmbh|ag|kg|kgaa|s\.?a|s\.?p\.?a|b\.?v|n\.?v|a\/?s|ab|oy|plc|pty|pte|srl|sas)\b\.?(?=$|[\s,&])/gi;
const CACHE = 16_384;

export function createVendors(spec: VendorsSpec): Vendors {
  const compiled = () =>
    spec.vendors.map((vendor) => ({
      vendor: { name: vendor.name, kind: vendor.kind ?? 'maker' } satisfies Vendor,
      patterns: [vendor.name, ...vendor.match].map(compilePattern),
    }));
  let rules: ReturnType<typeof compiled> | undefined;
  const cache = new Map<string, Vendor>();
  const roots = Object.entries(spec.dicom).sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1));
  return {
    canonical(text) {
      const known = cache.get(text);
      if (known !== undefined) return known;
      rules ??= compiled();
      const rule = rules.find(({ patterns }) => patterns.some((pattern) => pattern.match(text) !== undefined));
      const vendor: Vendor = rule?.vendor ?? { name: withoutLegalForm(text), kind: 'maker' };
      if (cache.size < CACHE) cache.set(text, vendor);
      return vendor;
    },
    byEnterprise: (number) => spec.enterprises[number],
    byBacnet: (number) => spec.bacnet[number],
    byCloud(host) {
      for (let at = 0; at >= 0; at = host.indexOf('.', at) + 1 || -1) {
        const maker = spec.clouds[host.slice(at)];
        if (maker !== undefined) return maker;
      }
      return undefined;
    },
    byDicomUid: (uid) => roots.find(([root]) => uid === root || uid.startsWith(`${root}.`))?.[1],
  };
}

function withoutLegalForm(text: string): string {
  const short = text
    .replace(LEGAL, '')
    .replace(/[\s,.&]+$/, '')
    .trim();
  return short === '' ? text.trim() : short;
}
