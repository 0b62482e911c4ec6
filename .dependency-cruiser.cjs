// Who may import whom. The allow-list follows the packet's way (docs/explanation/life-of-a-packet.md): a
// folder sees what lies before it, never what comes after. A rule reads "from this folder, only these".

/** Everything of ours that a module of a folder may import besides its own folder. */
const allowed = {
  kernel: [],
  lib: [],
  telemetry: ['kernel', 'lib'],
  sources: ['kernel', 'lib'],
  bus: ['kernel', 'lib', 'sources'],
  decode: ['kernel', 'lib'],
  track: ['kernel', 'lib', 'decode'],
  identity: ['kernel', 'lib', 'decode', 'track'],
  features: ['kernel', 'lib', 'decode', 'track', 'identity'],
  baseline: ['kernel', 'lib', 'decode', 'track', 'identity', 'features'],
  detect: ['kernel', 'lib', 'decode', 'track', 'identity', 'features', 'baseline'],
  alerts: ['kernel', 'lib', 'decode', 'track', 'identity', 'features', 'baseline', 'detect'],
  // The Kafka sink shares the client of the bus, which knows the traps of kafkajs.
  sinks: ['kernel', 'lib', 'alerts', 'bus'],
  // `state` for the interface of what keeps blobs, which a table of the store is one of.
  store: ['kernel', 'lib', 'state'],
  desk: ['kernel', 'lib', 'alerts'],
  access: ['kernel', 'lib', 'desk'],
  // Saves what others know without knowing them: a codec, a seal, a keeper of snapshots.
  state: ['kernel', 'lib'],
  simulate: ['kernel', 'lib', 'sources', 'decode'],
  api: ['kernel', 'lib', 'identity', 'features', 'baseline', 'detect', 'alerts', 'sinks', 'store', 'desk', 'access'],
};
const stages = Object.keys(allowed);
/** Folders that know everything below them and that nobody below may import. */
const tops = ['app', 'commands'];

/** Data that code may import: declared knowledge of device types. */
const data = ['^profiles/.+\\.json$', '^package\\.json$'];

/** What the registry lists (see detectors-are-registered-once for who may). */
const detectorEntry = '^detectors/[^/]+/index\\.ts$';

const ours = '^(src|detectors|profiles|tests|benchmarks|scripts|bin)/';
const folder = (name) => `^src/${name}/`;

/** Modules under `from` may import, of this repository, nothing but what matches `ok`. */
const only = (name, comment, from, ok) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: ours, pathNot: ok },
});

/** The library may be imported from these places alone; that is what makes it replaceable. */
const home = (library, places) => ({
  name: `home-of-${library.replace(/[^a-z]+/g, '-').replace(/^-/, '')}`,
  comment: `${library} lives in ${places.join(', ')} alone`,
  severity: 'error',
  from: { path: '^(src|detectors)/', pathNot: places.map((place) => `^${place}`) },
  // Installed or not, with types of its own or not: the name must be caught either way.
  to: { path: `(^|node_modules/)${library}(/|$)` },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      // An action that is loaded when its command is called may look back at the command: nothing waits for it.
      comment: 'modules that need each other are one module, or miss a third',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    {
      name: 'resolvable',
      comment: 'an import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'kernel-imports-nothing',
      comment: 'the kernel is what everybody agrees on: it stands on nothing',
      severity: 'error',
      from: { path: folder('kernel') },
      to: { pathNot: folder('kernel') },
    },
    {
      name: 'lib-without-npm',
      comment: 'leaves are pure: Node and nothing else',
      severity: 'error',
      from: { path: folder('lib') },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer'] },
    },
    ...stages.map((stage) =>
      only(
        `way-of-${stage}`,
        `src/${stage} may import ${allowed[stage].join(', ') || 'nothing'}`,
        folder(stage),
        [...allowed[stage], stage].map(folder).concat(data, stage === 'detect' ? [detectorEntry] : []),
      ),
    ),
    only(
      'config-composes-schemas',
      'src/config knows the schema of every component and nothing else of it',
      folder('config'),
      [folder('config'), folder('kernel'), folder('lib'), '^src/(?!commands/).+/config\\.ts$'],
    ),
    only(
      'schemas-are-leaves',
      'a component’s config.ts is data: it may import schemas of its parts, the kernel and leaves',
      '^src/(?!(config|commands)/).+/config\\.ts$',
      [folder('kernel'), folder('lib'), '/config\\.ts$'],
    ),
    only(
      'detectors-see-the-sdk',
      'a detector imports its own folder and src/detect/sdk.ts, so that a site can drop one in',
      '^detectors/([^/]+)/(?!.*\\.test\\.ts$)',
      ['^detectors/$1/', '^src/detect/sdk\\.ts$'],
    ),
    {
      name: 'detectors-without-npm',
      comment: 'a detector is pure: no library, no file, no network',
      severity: 'error',
      from: { path: '^detectors/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'core'] },
    },
    {
      name: 'detectors-are-registered-once',
      comment: 'only the registry, which is generated from the folders, names detectors',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/detect/registry\\.ts$', folder('app')] },
      to: { path: '^detectors/' },
    },
    only(
      'console-talks-http',
      'the console sees the API through HTTP; it may borrow the types of its schemas',
      folder('console'),
      [folder('console'), '^src/api/schemas'],
    ),
    only('app-wires', 'src/app wires components; it knows no command', folder('app'), [
      ...[...stages, 'config', 'app'].map(folder),
      detectorEntry,
      ...data,
    ]),
    only('commands-are-on-top', 'a command may use everything but the console', folder('commands'), [
      ...[...stages, 'config', ...tops].map(folder),
      ...data,
    ]),
    only('main-is-thin', 'main.ts parses arguments and calls one command', '^src/main\\.ts$', [
      folder('commands'),
      folder('kernel'),
    ]),
    {
      name: 'product-without-tests',
      comment: 'nobody imports tests, benchmarks or scripts',
      severity: 'error',
      from: { path: '^(src|bin|detectors)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(tests|benchmarks|scripts)/' },
    },
    {
      name: 'product-without-dev-dependencies',
      comment: 'what runs at a site must be a dependency; the console is bundled and may differ',
      severity: 'error',
      from: { path: '^(src|bin|detectors)/', pathNot: [folder('console'), '\\.test\\.ts$'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    },
    home('kafkajs', ['src/bus/kafka/', 'src/sinks/kafka/']),
    home('@clickhouse/client', ['src/store/']),
    home('chdb', ['src/store/']),
    home('fastify', ['src/api/']),
    home('@fastify/[a-z-]+', ['src/api/']),
    home('pino', ['src/telemetry/']),
    home('prom-client', ['src/telemetry/']),
    home('argon2', ['src/access/']),
    home('otpauth', ['src/access/']),
    home('openid-client', ['src/access/']),
    home('commander', ['src/commands/', 'src/main.ts']),
    home('ml-isolation-forest', ['src/baseline/', 'src/detect/']),
    home('oui-data', ['src/identity/']),
    home('preact', ['src/console/']),
    home('uplot', ['src/console/']),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|artifacts|out|data)/' },
    // Types are dependencies too: a type that points the wrong way is a design that points the wrong way.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
