interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface TestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

export function verdict(gates: { ok: boolean }[] | undefined, tests: TestReport | undefined, exitCode: number): Counts;
