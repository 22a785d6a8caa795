/** Where a pull goes. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { resolveSiteDestination } from '../../../src/cli/request/destination.js';
import { openDesk, type Desk } from './desk.js';

let desk: Desk;

beforeAll(() => {
  desk = openDesk();
});

afterAll(() => desk.clear());

describe('the destination of a request', () => {
  it('is absolute, with symbolic links resolved as far as it exists', () => {
    const { destination } = desk.build('./data', 'link/new/model').request;
    expect(destination).toEqual({ path: join(desk.cwd, 'there/new/model'), isFolder: false });
  });

  it.each(['there', 'new/', '.'])('knows that %s is a folder', (text) => {
    expect(desk.build('./data', text).request.destination.isFolder).toBe(true);
  });

  it.each([
    ['models:/churn@champion', 'churn'],
    ['s3://bucket/sets/2024/', '2024'],
    ['https://host/w.bin?sig=1', 'w.bin'],
    ['there/data', 'data'],
  ])('of %s without one is ./%s', (source, name) => {
    expect(desk.build(source).request.destination.path).toBe(join(desk.cwd, name));
  });

  it.each([
    ['./data', undefined, 'is the source itself'],
    ['./data', 'data/', 'is the source itself'],
    ['./data', 'data-link', 'is the source itself'],
    ['./data', 'data/in/it', 'lies inside of the source'],
    ['data/f.bin', 'data', 'is the source itself'],
    ['data/f.bin', 'data/f.bin', 'is the source itself'],
  ])('of %s is never %s, which would be read and written at once', (source, text, why) => {
    expect(() => desk.build(source, text)).toThrow(
      expect.objectContaining({ code: 'WB_USAGE', message: expect.stringContaining(why) }),
    );
  });

  it.each([
    ['./data', 'data2'],
    ['./data', '.'],
    ['data/f.bin', '.'],
    ['data/nothing', 'data/nothing'],
  ])('of %s may be %s', (source, text) => {
    expect(() => desk.build(source, text)).not.toThrow();
  });

  it('is asked for where no name can be derived', () => {
    expect(() => desk.build('https://host/')).toThrow(
      expect.objectContaining({
        code: 'WB_USAGE',
        message: expect.stringContaining('DESTINATION'),
      }),
    );
  });

  it.each(['s3://bucket/x', 'gs://b', 'https://host/x', 'models:/x/1'])(
    'is never a folder called after the scheme of %s',
    (text) => {
      expect(() => desk.build('./data', text)).toThrow(
        expect.objectContaining({
          code: 'WB_UNSUPPORTED',
          exitCode: 2,
          message: expect.stringContaining('not yet'),
        }),
      );
    },
  );

  it('is refused when it is empty or a link to nowhere', () => {
    expect(() => desk.build('./data', '')).toThrow('empty');
    expect(() => desk.build('./data', 'dangling/x')).toThrow(
      expect.objectContaining({ code: 'WB_CONFLICT' }),
    );
  });

  it('names a site on a cluster, and nothing else is taken there', () => {
    expect(resolveSiteDestination('gpu-1:/models/churn/', 'TEMPORAL_ADDRESS')).toEqual({
      site: 'gpu-1',
      destination: { path: '/models/churn', isFolder: true },
    });
    expect(() => resolveSiteDestination('./churn', 'TEMPORAL_ADDRESS')).toThrow('SITE:/absolute');
  });
});
