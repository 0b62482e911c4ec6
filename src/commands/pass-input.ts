import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { PASSED_INPUT } from '../app/standard-input.ts';

/**
 * Runs this very command once more, in a process whose standard input is empty and that finds ours under
 * another descriptor. The embedded ClickHouse takes whatever stands on standard input for data of its inserts,
 * so a capture that comes from there must not be there any more when the engine opens.
 * @returns the exit code of that process
 */
export function runWithInputPassed(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['ignore', 'inherit', 'inherit', 0],
    env: { ...process.env, [PASSED_INPUT]: '3' },
  });
  const stop = (): void => void child.kill('SIGTERM');
  // A terminal sends its interrupt to both: passing it on would make it two.
  const ignore = (): void => {};
  process.on('SIGTERM', stop);
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', ignore);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
