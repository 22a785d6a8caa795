import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeAuthority } from './certificates.js';
import type { Authority } from './certificates.js';
import { startHadoop } from './hadoop.js';
import type { Hadoop } from './hadoop.js';
import { startKdc } from './kerberos.js';
import type { Kerberos } from './kerberos.js';
import { scratchFolder } from './processes.js';

describe('a cluster of the tests that asks for tickets', () => {
  let folder: string;
  let authority: Authority;
  let kerberos: Kerberos;
  let hadoop: Hadoop;
  beforeAll(async () => {
    folder = scratchFolder('hadoop-tls');
    authority = makeAuthority(folder);
    kerberos = await startKdc();
    hadoop = await startHadoop({ kerberos, tls: authority.issue('server') });
    await hadoop.putFile('/a', 'abc');
  });
  afterAll(async () => {
    await hadoop.stop();
    await kerberos.stop();
    rmSync(folder, { recursive: true });
  });

  it('answers who has one', async () => {
    const url = `https://localhost:${hadoop.port}/webhdfs/v1/a?op=OPEN`;
    const args = ['-s', '-L', '--negotiate', '-u', ':', '--cacert', authority.certFile, url];
    const env = { ...kerberos.env, KRB5CCNAME: await kerberos.kinit('ada') };
    expect((await promisify(execFile)('curl', args, { env })).stdout).toBe('abc');
    expect((await promisify(execFile)('curl', args, { env: kerberos.env })).stdout).toContain(
      'Authentication required',
    );
  });
});
