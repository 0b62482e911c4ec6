// @ts-check
import tseslint from 'typescript-eslint';
import { hotPath } from './scripts/eslint-hot-path.ts';

/** Code that runs per frame or packet. */
const hot = ['src/decode/{link,network,transport}/**/*.ts', 'src/track/**/*.ts', 'src/decode/app/*/parser.ts'];

/** Code whose results must be the same on every run: event time only, no chance, no environment. */
const repeatable = ['src/{decode,track,identity,features,baseline,detect,alerts}/**/*.ts', 'detectors/**/*.ts'];

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'artifacts/', 'coverage/', '.cache/', 'data/', 'out/', 'tests/**/fixtures/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['src/console/vite.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // noUncheckedIndexedAccess makes `!` the plain way to say that a bound was checked a line above.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An interface may ask for a promise that one implementation has no need to wait for.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // An object that has the parts of a class may stand for it: nothing here asks `instanceof` of them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    files: repeatable,
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Event time only: take the time of the frame or the window.' },
        { object: 'performance', property: 'now', message: 'Event time only; time is measured around the hot path.' },
        {
          object: 'Math',
          property: 'random',
          message: 'Same input, same bytes: use a generator seeded by the config.',
        },
        { object: 'process', property: 'env', message: 'Settings come in through the config.' },
      ],
    },
  },
  {
    files: hot,
    ignores: ['**/{config,metrics}.ts'],
    plugins: { wardwatch: { rules: { 'hot-path': hotPath } } },
    rules: { 'wardwatch/hot-path': 'error' },
  },
  { files: ['src/console/**'], rules: { '@typescript-eslint/unbound-method': 'off' } },
  {
    files: ['tests/**', 'benchmarks/**', 'scripts/**', 'detectors/**/*.test.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    extends: [tseslint.configs.base],
    rules: { eqeqeq: 'error', 'prefer-const': 'error' },
  },
);
