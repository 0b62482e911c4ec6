import { parse } from 'yaml';
import { isSection, suggestion } from './check.ts';
import type { Problem } from './check.ts';
import type { Shape } from './shape.ts';

const PREFIX = 'WARDWATCH_';

/** Names are compared without case and underscores: `HOT_PATH`, `HOTPATH` and `hotPath` are the same. */
const plain = (name: string): string => name.toLowerCase().replaceAll('_', '');

/** A variable's text as the value that the shape asks for; what cannot be read stays text and fails the check. */
function readValue(shape: Shape, text: string): unknown {
  if (shape.type === 'string') return text;
  if (shape.type === 'array' && !text.trimStart().startsWith('[')) {
    return text === '' ? [] : text.split(',').map((item) => readValue(shape.items ?? {}, item.trim()));
  }
  try {
    return parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The part of a shape with this name; a union of sections is searched branch by branch. */
function partOf(shape: Shape, segment: string): { name: string; part: Shape } | undefined {
  for (const branch of [shape, ...(shape.anyOf ?? [])]) {
    for (const [name, part] of Object.entries(branch.properties ?? {})) {
      if (plain(name) === plain(segment)) return { name, part };
    }
    const free = Object.values(branch.patternProperties ?? {})[0];
    if (free) return { name: segment.toLowerCase(), part: free };
  }
  return undefined;
}

/**
 * Lays `WARDWATCH_<SECTION>__<KEY>` variables over `input` (`__` goes one level down, so
 * `WARDWATCH_API__PORT=9000` is `api.port`). Variables without `__` are no settings and are left alone.
 */
export function overlayEnvironment(
  shape: Shape,
  input: Record<string, unknown>,
  env: Readonly<Record<string, string | undefined>>,
): Problem[] {
  const problems: Problem[] = [];
  for (const variable of Object.keys(env).sort()) {
    const text = env[variable];
    if (!variable.startsWith(PREFIX) || !variable.includes('__') || text === undefined) continue;
    let at = input;
    let around = shape;
    const segments = variable.slice(PREFIX.length).split('__');
    for (const [index, segment] of segments.entries()) {
      const found = partOf(around, segment);
      if (!found) {
        const known = [around, ...(around.anyOf ?? [])].flatMap((branch) => Object.keys(branch.properties ?? {}));
        problems.push({ path: variable, text: `names no setting: "${segment}"; ${suggestion(segment, known)}` });
        break;
      }
      if (index === segments.length - 1) {
        at[found.name] = readValue(found.part, text);
        break;
      }
      if (!isSection(at[found.name])) at[found.name] = {};
      at = at[found.name] as Record<string, unknown>;
      around = found.part;
    }
  }
  return problems;
}
