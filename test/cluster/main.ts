/**
 * `npm run cluster`: brings up PostgreSQL, a Temporal server on it, hosts with a worker each and a folder that all of them
 * see, shows how it is used, and takes all of it down at Ctrl-C. `npm run cluster -- --hosts 4 --link 200`. With
 * `--outages 60` it takes everything away for so many seconds, one after another, under a pull, and says how that ended.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { startCluster, type ClusterWorker } from './cluster.js';
import { pullThroughOutages } from './outages.js';

const options = {
  hosts: { type: 'string', default: '2' },
  link: { type: 'string', default: '200' },
  outages: { type: 'string' },
} as const;

function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  process.stderr.write(`--${name} takes a whole number, such as --${name} 4; not "${text}"\n`);
  return process.exit(2);
}

const { values } = parseArgs({ options });
const hosts = wholeNumber('hosts', values.hosts);
const megabitsPerSecond = wholeNumber('link', values.link);
const { outages } = values;
const outageSeconds = outages === undefined ? undefined : wholeNumber('outages', outages);
if (process.getuid?.() !== 0) {
  process.stderr.write('npm run cluster makes network namespaces, for which it has to be root\n');
  process.exit(2);
}
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const stopped = Promise.race(['SIGINT', 'SIGTERM'].map((name) => once(process, name)));
say(
  'starting PostgreSQL and Temporal on it (their programs are built first, once, about 3 minutes)',
);
const cluster = await startCluster();
const workers: ClusterWorker[] = [];
try {
  for (let index = 1; index <= hosts; index += 1) {
    const host = await cluster.addHost(`host${index}`, { megabitsPerSecond });
    const site = { site: `site${index}`, root: cluster.dir };
    workers.push(await cluster.startWorker(host));
    await cluster.startWorker(host, site);
    say(
      `${host.name}: ${host.address}, ${megabitsPerSecond} Mbit/s, serves any: and ${site.site}:`,
    );
  }
  if (outageSeconds !== undefined) {
    const ended = pullThroughOutages({ cluster, workers, outageSeconds, say });
    const isStopped = stopped.then(() => 130);
    process.exitCode = await Promise.race([ended, isStopped]);
    ended.catch(() => undefined);
  } else {
    say(`
Temporal     ${cluster.temporal.address}, namespace default, on PostgreSQL
every host   sees ${cluster.shared}
use it       export TEMPORAL_ADDRESS=${cluster.temporal.address}
             waybill pull SOURCE any:${cluster.shared}/NAME
             waybill pull SOURCE site1:${cluster.dir}/NAME
Ctrl-C takes all of it down.`);
    await stopped;
  }
  say('taking it down');
} finally {
  await cluster.stop();
}
