import { defineConfig } from 'vitest/config';

/** Tests that start processes, servers or databases, or take long: one file after the other. */
const integration = [
  'tests/simulate/**/*.test.ts',
  'tests/decode/damaged.test.ts',
  'tests/baseline/odd-recordings.test.ts',
  'tests/detectors/{b-captures,cases,collection}.test.ts',
  'tests/{store,api,e2e,spine,inventory}/**/*.test.{ts,tsx}',
  'tests/bus/**/*kafka*.test.ts',
  'tests/bus/kafka/**/*.test.ts',
  'tests/**/*.process.test.ts',
];

export default defineConfig({
  test: {
    // Results must not depend on where or when they run.
    env: { TZ: 'UTC' },
    unstubEnvs: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['tests/**/*.test.{ts,tsx}', 'detectors/**/*.test.ts', 'scripts/scaffold/**/*.test.ts'],
          exclude: integration,
          pool: 'forks',
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: integration,
          pool: 'forks',
          fileParallelism: false,
          globalSetup: ['tests/support/kafka/global-setup.ts'],
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
