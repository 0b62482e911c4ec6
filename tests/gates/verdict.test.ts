import { expect, it } from 'vitest';
import { verdict } from '../../scripts/verdict.mjs';

const tests = {
  numPassedTests: 10,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 0,
  testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }],
};
const gates = [
  { name: 'format', ok: true },
  { name: 'types', ok: true },
];

it('adds gates and tests', () => {
  expect(verdict(gates, tests, 0)).toEqual({ passed: 12, failed: 0, skipped: 1 });
  expect(verdict([...gates, { name: 'lint', ok: false }], tests, 1)).toEqual({ passed: 12, failed: 1, skipped: 1 });
});

it('counts a file that cannot be loaded as a failure', () => {
  const broken = { ...tests, testResults: [{ status: 'failed', assertionResults: [] }] };
  expect(verdict(gates, broken, 1).failed).toBe(1);
});

it('never calls a run without reports, or with a failing exit code, a success', () => {
  expect(verdict(undefined, undefined, 0).failed).toBe(1);
  expect(verdict(gates, undefined, 0).failed).toBe(1);
  expect(verdict(gates, tests, 1).failed).toBe(1);
});
