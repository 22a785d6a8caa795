import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { findInNetrc } from '../../../src/stores/ftp/netrc.js';
import { scratchFolder } from '../../helpers/processes.js';

let base: string;
let place: string;

beforeAll(() => {
  base = scratchFolder('netrc');
  place = join(base, '.netrc');
  writeFileSync(
    place,
    [
      '# machine no.example login nobody password nothing',
      'machine models.example login ada password first',
      'machine models.example',
      '  login bob',
      '  account x',
      '  password "with \\"blanks\\" #1"',
      'macdef init',
      'quote login eve password stolen',
      'machine evil.example login eve password stolen',
      '',
      'machine half.example login only',
      'default login anyone password guest',
      '',
    ].join('\n'),
  );
  chmodSync(place, 0o600);
});
afterAll(() => rmSync(base, { recursive: true }));

it('finds the first entry of a host, or that of a user', () => {
  expect(findInNetrc(place, 'models.example')).toEqual({ login: 'ada', password: 'first' });
  expect(findInNetrc(place, 'MODELS.example', 'bob')).toEqual({
    login: 'bob',
    password: 'with "blanks" #1',
  });
});

it('reads neither comments nor the commands of a macro', () => {
  const anyone = { login: 'anyone', password: 'guest' };
  expect(findInNetrc(place, 'no.example')).toEqual(anyone);
  expect(findInNetrc(place, 'evil.example')).toEqual(anyone);
});

it('gives nothing without a password, without an entry of the user, without a file', () => {
  expect(findInNetrc(place, 'half.example')).toBeUndefined();
  expect(findInNetrc(place, 'models.example', 'carol')).toBeUndefined();
  expect(findInNetrc(join(base, 'none'), 'models.example')).toBeUndefined();
});

it('one that cannot be read is an error that names it', () => {
  mkdirSync(join(base, 'folder'));
  expect(() => findInNetrc(join(base, 'folder'), 'x')).toThrow(/folder cannot be read/u);
});
