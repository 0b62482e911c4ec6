// Adds up the gates and the tests of the last `make test`. Plain JavaScript, because it must also be able
// to speak when the installation failed.
//
//   node scripts/verdict.mjs EXIT_CODE_OF_MAKE_TEST
import { readFileSync } from 'node:fs';

function read(path) {
  try {
    return JSON.parse(readFileSync(new URL(`../artifacts/${path}`, import.meta.url), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Counts of vitest's JSON report. A file that could not even be loaded has no tests: it counts as one failure. */
function countTests(report) {
  const unloadable = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloadable.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

export function verdict(gates, tests, exitCode) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const gate of gates ?? []) total[gate.ok ? 'passed' : 'failed']++;
  if (tests) {
    const counted = countTests(tests);
    for (const key of Object.keys(total)) total[key] += counted[key];
  }
  // Something failed that no report knows of: the installation, a crash, an error outside any test.
  if ((exitCode !== 0 || !gates || !tests) && total.failed === 0) total.failed = 1;
  return total;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { passed, failed, skipped } = verdict(read('gates.json'), read('tests.json'), Number(process.argv[2] ?? 0));
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
}
