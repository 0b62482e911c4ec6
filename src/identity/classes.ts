import { readFileSync } from 'node:fs';

interface ClassEntry {
  id: string;
  title: string;
  medical: boolean;
  life_supporting: boolean;
  phi: boolean;
  interactive: boolean;
  server: boolean;
  infrastructure: boolean;
  harm: string;
  ocsf_type_id: number;
}

export interface KnownClass {
  readonly id: string;
  readonly title: string;
  readonly medical: boolean;
  readonly lifeSupporting: boolean;
  readonly phi: boolean;
  readonly interactive: boolean;
  readonly server: boolean;
  readonly infrastructure: boolean;
  /** Worst harm that a fault of the class may lead to (ISO 14971). */
  readonly harm: string;
  readonly ocsfTypeId: number;
}

/** Device classes of profiles/classes.json, by id; `unknown` is always among them. */
export function loadClasses(
  file: URL = new URL('../../profiles/classes.json', import.meta.url),
): Map<string, KnownClass> {
  const parsed = JSON.parse(readFileSync(file, 'utf8')) as { classes: ClassEntry[] };
  return new Map(
    parsed.classes.map((c) => [
      c.id,
      {
        id: c.id,
        title: c.title,
        medical: c.medical,
        lifeSupporting: c.life_supporting,
        phi: c.phi,
        interactive: c.interactive,
        server: c.server,
        infrastructure: c.infrastructure,
        harm: c.harm,
        ocsfTypeId: c.ocsf_type_id,
      },
    ]),
  );
}
