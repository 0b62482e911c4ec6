// Fetches the jars of the Kafka broker that the tests run (tests/support/kafka/pom.xml) from the Maven
// repository into .cache/kafka, once, and prints the folder on standard output. Several processes may
// call it at the same time: one fetches, the others wait. Progress goes to standard error.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pom = join(root, 'tests', 'support', 'kafka', 'pom.xml');
const cache = join(root, '.cache', 'kafka');
// A changed pom is another folder, so that an old cache is never taken for the new one.
const key = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
const jars = join(cache, key);
const lock = join(cache, `${key}.lock`);

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** True when the lock is ours; a lock whose owner is gone is removed. */
function takeLock() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  let owner = '';
  try {
    owner = readFileSync(lock, 'utf8');
  } catch {
    return false;
  }
  if (owner !== '' && !isRunning(Number(owner))) rmSync(lock, { force: true });
  return false;
}

function maven(into) {
  return new Promise((resolve, reject) => {
    const args = ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${into}`];
    const child = spawn('mvn', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', () => reject(new Error('mvn was not found: install Maven, or set KAFKA_BROKERS to a broker')));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`mvn ended with ${code}: ${output.slice(-2000)}`));
    });
  });
}

async function fetchJars() {
  mkdirSync(cache, { recursive: true });
  while (!existsSync(jars)) {
    if (!takeLock()) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      continue;
    }
    try {
      if (existsSync(jars)) break;
      process.stderr.write('kafka-jars: fetching the test broker (43 MB, once) …\n');
      const partial = join(cache, `${key}.${process.pid}`);
      rmSync(partial, { recursive: true, force: true });
      await maven(partial);
      renameSync(partial, jars);
      process.stderr.write('kafka-jars: done\n');
    } finally {
      rmSync(lock, { force: true });
    }
  }
}

try {
  await fetchJars();
  process.stdout.write(`${jars}\n`);
} catch (error) {
  process.stderr.write(`kafka-jars: ${error.message}\n`);
  process.exitCode = 1;
}
