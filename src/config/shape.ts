import type { TSchema } from 'typebox';

/**
 * The parts of JSON Schema that configuration schemas are made of. TypeBox values are plain JSON Schema;
 * this is the same object seen as data, for walking over it.
 */
export interface Shape {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Shape[];
  properties?: Record<string, Shape>;
  required?: string[];
  additionalProperties?: boolean | Shape;
  patternProperties?: Record<string, Shape>;
  items?: Shape;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  /** Ours: the value is never printed. */
  secret?: boolean;
}

export function shapeOf(schema: TSchema): Shape {
  return schema;
}

/** The allowed values where a shape is a choice among constants. */
export function choices(shape: Shape): unknown[] | undefined {
  if (shape.enum) return shape.enum;
  if (shape.anyOf?.every((branch) => branch.const !== undefined)) return shape.anyOf.map((branch) => branch.const);
  if (shape.const !== undefined) return [shape.const];
  return undefined;
}

function range(low: number | undefined, high: number | undefined): string {
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`;
  if (low !== undefined) return ` of at least ${low}`;
  return high === undefined ? '' : ` of at most ${high}`;
}

/** What would be right, in words: `an integer from 0 to 65535`. */
export function describeShape(shape: Shape): string {
  const allowed = choices(shape);
  if (allowed) return allowed.length === 1 ? String(allowed[0]) : `one of ${allowed.map(String).join(', ')}`;
  if (shape.anyOf) return shape.anyOf.map(describeShape).join(' or ');
  switch (shape.type) {
    case 'integer':
      return `an integer${range(shape.minimum, shape.maximum)}`;
    case 'number':
      return shape.exclusiveMinimum === undefined
        ? `a number${range(shape.minimum, shape.maximum)}`
        : `a number above ${shape.exclusiveMinimum}${shape.maximum === undefined ? '' : ` and at most ${shape.maximum}`}`;
    case 'boolean':
      return 'true or false';
    case 'string': {
      if (shape.pattern !== undefined) return `a text that matches ${shape.pattern}`;
      if (shape.minLength === 1) return 'a text that is not empty';
      return 'a text';
    }
    case 'array':
      return `a list${shape.items ? ` of which each is ${describeShape(shape.items)}` : ''}`;
    case 'object':
      return shape.properties ? `a section with ${Object.keys(shape.properties).join(', ')}` : 'a section';
    default:
      return 'another value';
  }
}

/** True for values that must not be seen: marked so, or named like one. */
export function isSecret(name: string, shape: Shape): boolean {
  return shape.secret ?? (shape.type === 'string' && /(^|_)(password|secret|token|passphrase)$/i.test(name));
}
