import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { namelessUserSettings } from '../../src/service/child-settings.js';

const SOURCE = new URL('../../src/service/child-settings.js', import.meta.url);

/** Asks as a user whose id has no name; only root can become one. */
function askNameless(environment: Readonly<Record<string, string>>): unknown {
  const question = `process.stdout.write(JSON.stringify(namelessUserSettings(${JSON.stringify(environment)}, '/state')));`;
  const { stdout } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', `${readFileSync(SOURCE, 'utf8')}\n${question}`],
    { uid: 54_321, gid: 54_321, cwd: '/', env: {}, encoding: 'utf8' },
  );
  return JSON.parse(stdout);
}

describe('the environment of the service', () => {
  it('has a name and a home for a random user id, and adds nothing for a user with a name', () => {
    expect(namelessUserSettings({}, '/state')).toEqual({});
    if (process.getuid?.() !== 0) return;
    expect(askNameless({})).toEqual({ USER: 'waybill', HOME: '/state' });
    expect(askNameless({ HOME: '/work', USER: '' })).toEqual({ USER: 'waybill', HOME: '/work' });
  });
});
