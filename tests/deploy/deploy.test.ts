import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { catalogue } from '../../src/telemetry/catalogue.ts';
import { createTelemetry, exposedName } from '../../src/telemetry/index.ts';
import { at, documents, entries, files, list, text } from './files.ts';
import type { Json } from './files.ts';

test('every YAML and JSON file says one thing', () => {
  const yaml = files('.yaml', '.yml');
  expect(yaml.length).toBeGreaterThan(10);
  for (const path of yaml) expect(documents(path).length, path).toBeGreaterThan(0);
  for (const path of files('.json')) expect(JSON.parse(text(path)), path).toBeTypeOf('object');
});

describe('settings', () => {
  test.each(['deploy/wardwatch.yaml', 'deploy/kubernetes/wardwatch.yaml'])('of %s are right', (file) => {
    const { config } = loadConfig({ file, env: {} });
    expect(config.bus.kind).toBe('kafka');
    expect(config.store.mode).toBe('server');
  });

  test('the names of the rights on Kafka are those of the settings', () => {
    const { kafka } = loadConfig({ env: {} }).config.bus;
    const script = text('kafka/acls.sh');
    expect(script).toContain(`TOPIC=\${TOPIC:-${kafka.topic}}`);
    expect(script).toContain(`GROUP=\${GROUP:-${kafka.group_id}}`);
  });
});

describe('the image', () => {
  const lines = text('Dockerfile')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));

  test('runs without root, on the Node that the tests run on', () => {
    const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const major = devDependencies['node']!.split('.')[0]!;
    const bases = lines.filter((line) => line.startsWith('FROM '));
    for (const base of bases) expect(base).toMatch(new RegExp(`^FROM node:${major}-slim( AS \\w+)?$`));
    expect(last.findLast((line) => line.startsWith('USER '))).toMatch(/^USER [1-9]\d*:[1-9]\d*$/);
    expect(last.filter((line) => line.includes('setcap'))).toHaveLength(1);
    expect(lines.join('\n')).toMatch(/setcap cap_net_raw\+ep /);
  });

  test('gets everything it copies, and of the checkout nothing else', () => {
    const wanted = last
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(wanted).toEqual(expect.arrayContaining(['bin', 'src', 'detectors', 'profiles', 'package.json']));
    for (const path of wanted) expect(existsSync(path), path).toBe(true);
    const ignore = text('Dockerfile.dockerignore').split('\n');
    expect(ignore.find((line) => line !== '' && !line.startsWith('#'))).toBe('*');
    for (const path of wanted) expect(ignore, path).toContain(`!${path}`);
    const admitted = ignore.filter((line) => line.startsWith('!')).join(' ');
    expect(admitted).not.toMatch(/data|secrets|deploy|demo/);
  });
});

describe('compose', () => {
  const [compose] = documents('compose.yaml');
  const services = entries(compose!['services']);
  const byName = new Map(services);
  const own = services.filter(([, service]) => String(service['image']).startsWith('wardwatch:'));
  const once = new Set(['topics', 'migrate']);

  test('has every role, and what they need', () => {
    expect([...byName.keys()].sort()).toEqual(
      ['kafka', 'clickhouse', 'topics', 'migrate', 'sensor', 'detector', 'server', 'prometheus', 'grafana'].sort(),
    );
    expect(own).toHaveLength(5);
  });

  test('gives no service more than it needs', () => {
    for (const [name, service] of services) {
      expect(service['privileged'], name).toBeUndefined();
      expect(service['image'], name).toMatch(/:[\w.-]+$/);
      expect(service['image'], name).not.toMatch(/:latest$/);
      for (const port of (service['ports'] ?? []) as string[]) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
      if (name !== 'sensor') expect(service['network_mode'], name).toBeUndefined();
    }
    for (const [name, service] of own) {
      expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
      expect(service['cap_add'], name).toEqual(name === 'sensor' ? ['NET_RAW'] : undefined);
      // The sensor's tcpdump has its capability from its file, which no-new-privileges would not honour.
      expect(service['security_opt'], name).toEqual(name === 'sensor' ? undefined : ['no-new-privileges:true']);
    }
  });

  test('knows whether a service is well, and waits for what it needs', () => {
    for (const [name, service] of services) {
      if (!once.has(name)) expect(at(service, 'healthcheck', 'test'), name).toBeDefined();
      for (const [other, how] of entries(service['depends_on'])) {
        expect(byName.has(other), `${name} needs ${other}`).toBe(true);
        const condition = how['condition'];
        if (condition === 'service_healthy') expect(at(byName.get(other), 'healthcheck'), other).toBeDefined();
        else expect([condition, once.has(other)]).toEqual(['service_completed_successfully', true]);
      }
    }
  });

  test('takes secrets from files alone, and mounts what is there', () => {
    const made = text('make-secrets.sh');
    for (const [name, secret] of entries(compose!['secrets'])) {
      const file = String(secret['file']).replace('./secrets/', '');
      expect(made, `${name} is made`).toContain(`make ${file} `);
    }
    for (const [name, service] of services) {
      for (const secret of list(service['secrets'])) {
        const source = typeof secret === 'string' ? secret : String(secret['source']);
        expect(at(compose, 'secrets', source), `${name}: ${source}`).toBeDefined();
      }
      for (const variable of Object.entries((service['environment'] ?? {}) as Json))
        expect(`${name} ${variable.join('=')}`).not.toMatch(/PASSWORD(?!__FILE)/);
      for (const volume of list(service['volumes']).map(String)) {
        const source = volume.split(':')[0]!;
        if (source.startsWith('.')) expect(existsSync(join('deploy', normalize(source))), volume).toBe(true);
        else expect(at(compose, 'volumes', source), volume).toBeDefined();
      }
    }
  });

  test('is scraped where it serves', () => {
    const [prometheus] = documents('prometheus/prometheus.yml');
    const all = JSON.stringify(prometheus);
    expect(String(at(byName.get('sensor'), 'command'))).toContain(':9464');
    expect(String(at(byName.get('detector'), 'command'))).toContain(':9464');
    for (const target of ['host.docker.internal:9464', '"names":["detector"]', '"port":9464', 'server:8642'])
      expect(all).toContain(target);
    expect(all).toContain('clickhouse:9363');
    expect(text('clickhouse/config.d/wardwatch.xml')).toContain('<port>9363</port>');
  });
});

describe('kubernetes', () => {
  const [kustomization] = documents('kubernetes/kustomization.yaml');
  const resources = (kustomization!['resources'] as string[]).flatMap((file) => documents(`kubernetes/${file}`));
  const ofKind = (kind: string): Json[] => resources.filter((resource) => resource['kind'] === kind);
  const nameOf = (resource: Json): string => String(at(resource, 'metadata', 'name'));
  const workloads = ['Deployment', 'DaemonSet', 'Job'].flatMap(ofKind);
  const podOf = (workload: Json): Json => at(workload, 'spec', 'template', 'spec') as Json;
  const labelsOf = (workload: Json): Json => at(workload, 'spec', 'template', 'metadata', 'labels') as Json;

  test('has every role', () => {
    expect(workloads.map(nameOf).sort()).toEqual(['detector', 'migrate', 'sensor', 'server']);
    expect(ofKind('PodDisruptionBudget').map(nameOf).sort()).toEqual(['detector']);
    for (const resource of resources) expect(resource['apiVersion'], nameOf(resource)).toMatch(/^([a-z.0-9]+\/)?v\d/);
  });

  test('every pod runs without root and without rights it does not need', () => {
    for (const workload of workloads) {
      const name = nameOf(workload);
      const pod = podOf(workload);
      expect(pod, name).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(ofKind('ServiceAccount').map(nameOf), name).toContain(pod['serviceAccountName']);
      expect(pod['hostNetwork'], name).toBe(name === 'sensor' ? true : undefined);
      for (const container of list(pod['containers'])) {
        expect(container['securityContext'], name).toEqual({
          allowPrivilegeEscalation: name === 'sensor',
          readOnlyRootFilesystem: true,
          capabilities: name === 'sensor' ? { drop: ['ALL'], add: ['NET_RAW'] } : { drop: ['ALL'] },
        });
        expect(at(container, 'resources', 'requests', 'cpu'), name).toBeDefined();
        expect(at(container, 'resources', 'requests', 'memory'), name).toBeDefined();
        expect(at(container, 'resources', 'limits', 'memory'), name).toBeDefined();
        for (const variable of list(container['env'])) expect(String(variable['name'])).not.toMatch(/PASSWORD/);
      }
    }
  });

  test('probes, mounts, ports and selectors name what is there', () => {
    for (const workload of workloads) {
      const name = nameOf(workload);
      const pod = podOf(workload);
      const volumes = list(pod['volumes']).map((volume) => volume['name']);
      for (const container of list(pod['containers'])) {
        for (const mount of list(container['volumeMounts'])) expect(volumes, name).toContain(mount['name']);
        const ports = list(container['ports']).map((port) => port['name']);
        for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
          if (workload['kind'] === 'Job') continue;
          expect(ports, `${name} ${probe}`).toContain(at(container, probe, 'httpGet', 'port'));
          expect(at(container, probe, 'httpGet', 'path')).toBe(probe === 'readinessProbe' ? '/readyz' : '/healthz');
        }
      }
      if (workload['kind'] !== 'Job')
        expect(labelsOf(workload), name).toMatchObject(at(workload, 'spec', 'selector', 'matchLabels') as Json);
    }
    for (const budget of ofKind('PodDisruptionBudget')) {
      const of = workloads.find((workload) => nameOf(workload) === nameOf(budget))!;
      expect(labelsOf(of)).toMatchObject(at(budget, 'spec', 'selector', 'matchLabels') as Json);
      expect(Number(at(of, 'spec', 'replicas'))).toBeGreaterThan(Number(at(budget, 'spec', 'minAvailable')));
    }
    for (const service of ofKind('Service')) {
      const of = workloads.find((workload) => nameOf(workload) === nameOf(service))!;
      expect(labelsOf(of)).toMatchObject(at(service, 'spec', 'selector') as Json);
      const ports = list(at(podOf(of), 'containers', 0, 'ports')).map((port) => port['name']);
      for (const port of list(at(service, 'spec', 'ports'))) expect(ports).toContain(port['targetPort']);
    }
  });

  test('the network lets through what is said, and everything else is denied', () => {
    const policies = ofKind('NetworkPolicy');
    const deny = policies.find((policy) => nameOf(policy) === 'deny-all');
    expect(deny?.['spec']).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const names = new Set(workloads.map(nameOf));
    for (const policy of policies) {
      const selected = at(policy, 'spec', 'podSelector', 'matchLabels', 'app.kubernetes.io/name') as string | undefined;
      if (selected !== undefined) expect(names.has(selected), nameOf(policy)).toBe(true);
      const several = list(at(policy, 'spec', 'podSelector', 'matchExpressions'));
      for (const { values } of several) for (const name of values as string[]) expect(names.has(name)).toBe(true);
      for (const rule of [...list(at(policy, 'spec', 'ingress')), ...list(at(policy, 'spec', 'egress'))]) {
        expect(list(rule['from'] ?? rule['to']).length, nameOf(policy)).toBeGreaterThan(0);
        expect(list(rule['ports']).length, nameOf(policy)).toBeGreaterThan(0);
      }
    }
  });

  test('the autoscaler goes by the lag of the topic and group that detectors have', () => {
    const { kafka } = loadConfig({ file: 'deploy/kubernetes/wardwatch.yaml', env: {} }).config.bus;
    const scaled = documents('kubernetes/optional/keda-detector.yaml').find(({ kind }) => kind === 'ScaledObject')!;
    expect(workloads.map(nameOf)).toContain(at(scaled, 'spec', 'scaleTargetRef', 'name'));
    expect(Number(at(scaled, 'spec', 'maxReplicaCount'))).toBe(kafka.partitions);
    expect(at(scaled, 'spec', 'triggers', 0, 'metadata')).toMatchObject({
      bootstrapServers: kafka.brokers[0],
      topic: kafka.topic,
      consumerGroup: kafka.group_id,
    });
  });
});

describe('what is watched', async () => {
  const exposition = await createTelemetry(loadConfig({ env: {} }).config.telemetry, { version: '0' }).metrics();
  /** Names of series with their labels; those of the process come from the exposition. */
  const known = new Map<string, ReadonlySet<string> | undefined>();
  for (const [, name] of exposition.matchAll(/^# TYPE (wardwatch_(?:process|nodejs)_\w+) /gm))
    known.set(name!, undefined);
  for (const metric of catalogue) {
    const name = exposedName(metric);
    const parts = metric.kind === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const part of parts)
      known.set(`${name}${part}`, new Set([...metric.labels, ...(part === '_bucket' ? ['le'] : [])]));
  }
  /** What a scrape adds. */
  const added = new Set(['job', 'instance', 'role']);

  function check(expression: string): void {
    const names = [...expression.matchAll(/\b(wardwatch_\w+|up)\b(?:\{([^}]*)\})?/g)];
    expect(names.length, expression).toBeGreaterThan(0);
    const labels = new Set(added);
    for (const [, name, selector = ''] of names) {
      if (name === 'up') continue;
      expect(known.has(name!), `${name!} is in src/telemetry/catalogue.ts`).toBe(true);
      const of = known.get(name!);
      for (const label of of ?? []) labels.add(label);
      for (const [, label] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
        expect(added.has(label!) || of?.has(label!) === true, `${name!} has the label ${label!}`).toBe(true);
    }
    for (const [, by] of expression.matchAll(/\b(?:by|without)\s*\(([^)]*)\)/g))
      for (const label of by!.split(',').map((part) => part.trim())) expect(labels, expression).toContain(label);
  }

  test('alert rules ask for metrics that there are, and say what to do', () => {
    const rules = files('.yml')
      .filter((path) => path.includes('rules/'))
      .flatMap((path) => documents(path))
      .flatMap((document) => list(document['groups']))
      .flatMap((group) => list(group['rules']));
    expect(rules.length).toBeGreaterThan(8);
    for (const rule of rules) {
      check(String(rule['expr']));
      expect(at(rule, 'annotations', 'summary')).toBeTypeOf('string');
      expect(at(rule, 'annotations', 'action')).toBeTypeOf('string');
      expect(['warning', 'critical']).toContain(at(rule, 'labels', 'severity'));
    }
  });

  test('dashboards ask for metrics that there are, of the data source that there is', () => {
    const [sources] = documents('grafana/provisioning/datasources/wardwatch.yaml');
    const uid = at(sources, 'datasources', 0, 'uid');
    const dashboards = files('.json').filter((path) => path.startsWith('grafana/dashboards'));
    expect(dashboards.length).toBeGreaterThan(0);
    for (const path of dashboards) {
      const panels = list((JSON.parse(text(path)) as Json)['panels']);
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      for (const panel of panels) {
        if (panel['type'] === 'row') continue;
        expect(at(panel, 'datasource', 'uid')).toBe(uid);
        for (const { expr } of list(panel['targets'])) check(String(expr).replaceAll('$__rate_interval', '5m'));
      }
      const places = panels.flatMap((panel) => {
        const { x, y, w, h } = panel['gridPos'] as { x: number; y: number; w: number; h: number };
        return Array.from({ length: w * h }, (_, n) => `${x + (n % w)}/${y + Math.floor(n / w)}`);
      });
      expect(new Set(places).size, 'panels do not lie on each other').toBe(places.length);
    }
  });
});
