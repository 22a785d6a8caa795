/** How long a command takes that has next to nothing to fetch. */
import { serveOne } from './http.js';
import type { BenchCase, Contender } from '../lib/case.js';
import { httpPeers } from '../lib/peers.js';
import type { WaybillSide } from '../lib/waybill-side.js';

const SIZE = 10_000;
const brings = { files: 1, bytes: SIZE };

/** The service runs: a pull of one small file, and what else is typed at a prompt. */
export const warmStart: BenchCase = {
  name: 'warm-start',
  what: 'One file of 10 kB from nginx, the service running; and commands that need no service.',
  prepare: async (world) => {
    const nginx = await serveOne(world, SIZE);
    const url = `${nginx.url}/model.bin`;
    const listed = await world.folder('listed');
    const sides = await world.sides();
    const spoken = (side: WaybillSide, words: string, args: readonly string[]): Contender => ({
      name: `${side.name} ${words}`,
      command: () => side.command(args),
    });
    return {
      contenders: [
        ...sides.map((side) => side.puller(url, { brings })),
        ...sides.map((side) => spoken(side, '--version', ['--version'])),
        ...sides.map((side) => spoken(side, 'ls', ['ls', listed])),
        ...(await httpPeers(world.peers, url, { brings })),
      ],
    };
  },
};

/** The service does not run: the command starts it. */
export const coldStart: BenchCase = {
  name: 'cold-start',
  what: 'One file of 10 kB from nginx; the service does not run, the command starts it.',
  prepare: async (world) => {
    const url = `${(await serveOne(world, SIZE)).url}/model.bin`;
    const sides = await world.sides();
    const before = (side: WaybillSide) => () => side.run(['down', '--force']);
    return {
      contenders: sides.map((side) => side.puller(url, { brings, before: before(side) })),
    };
  },
};
