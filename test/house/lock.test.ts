import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as z from 'zod';

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

describe('the lock file', () => {
  it('names the packages of every platform, so that npm ci works on each of them', () => {
    const lock = new URL('../../../package-lock.json', import.meta.url);
    const { packages } = lockSchema.parse(JSON.parse(readFileSync(lock, 'utf8')));
    const missing = Object.entries(packages).flatMap(([holder, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => packages[`node_modules/${name}`] === undefined)
        .filter((name) => packages[`${holder}/node_modules/${name}`] === undefined)
        .map((name) => `${holder} wants ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('names no registry', () => {
    const lock = readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8');
    expect(lock).not.toContain('"resolved"');
  });
});
