import type { TSchema } from 'typebox';
import { problemSchema } from './problems.ts';

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});

/** What every route may answer instead of what it is asked for. */
export const problems = {
  '4xx': problem('The request is at fault; `detail` says how.'),
  '5xx': problem('Wardwatch or its store is at fault.'),
};

/** A body of JSON. */
export const json = <T extends TSchema>(schema: T, description: string) => ({
  200: { description, content: { 'application/json': { schema } } },
  ...problems,
});

/** Nothing but that it was done. */
export const done = { 204: { description: 'Done', type: 'null' as const }, ...problems };
