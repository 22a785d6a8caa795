import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLIENT = fileURLToPath(new URL('../../src/client.js', import.meta.url));

describe('the client', () => {
  it('loads none of the native parts of the worker, and not the workflow bundle', () => {
    const script = `
      const client = await import(${JSON.stringify(CLIENT)});
      if (typeof client.WaybillClient.connect !== 'function') throw new Error('no client');
      const { createRequire } = await import('node:module');
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      const native = process.report.getReport().sharedObjects.filter((name) => name.endsWith('.node'));
      console.log(JSON.stringify({ loaded, native }));
    `;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    const { loaded, native } = JSON.parse(output) as { loaded: string[]; native: string[] };
    expect(loaded.some((path) => path.includes('@temporalio/client'))).toBe(true);
    const heavy = /@temporalio\/(worker|core-bridge|testing)|webpack|@swc|@aws-sdk/;
    expect(loaded.filter((path) => heavy.test(path))).toEqual([]);
    expect(native).toEqual([]);
  });
});
