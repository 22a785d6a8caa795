/**
 * A pull by the engine itself, without Temporal, service or worker process: `node engine-alone.js SOURCE FOLDER`. What
 * `waybill pull` needs beyond it is what orchestration costs. It keeps no promise: nothing goes on after a kill.
 */
import { readConfig } from '../../src/config.js';
import { buildPullRequest } from '../../src/cli/request/build.js';
import type { PullRef } from '../../src/transfer/api.js';
import { openReach } from '../../src/transfer/reach.js';
import { contextOf, engineOf } from '../../test/helpers/engine.js';

/** As many units as a pull has at work (src/workflows/policies.ts). */
const WINDOW = 6;

async function main(source: string, folder: string): Promise<void> {
  const cwd = process.cwd();
  const input = { config: readConfig(), flags: {}, source, destination: folder, cwd };
  const { request, address } = buildPullRequest(input);
  const engine = engineOf({ reach: openReach(() => Promise.resolve(address.secrets)) });
  const asked = { ...request, source: { ...request.source, credentials: 'of this process' } };
  const resolved = await engine.resolve({ request: asked }, contextOf());
  const pull = { pullId: 'alone', runId: 'alone', request: asked, resolved };
  const { ref } = await engine.claim(pull, contextOf());
  const running = new Set<Promise<unknown>>();
  for await (const unit of unitsOf(ref)) {
    const fetched: Promise<unknown> = engine.fetchUnit(unit, contextOf()).finally(() => {
      running.delete(fetched);
    });
    running.add(fetched);
    if (running.size >= WINDOW) await Promise.race(running);
  }
  await Promise.all(running);
  const { ok, message } = await engine.seal({ ref }, contextOf());
  await engine.close();
  if (!ok) throw new Error(message ?? 'not all came');

  async function* unitsOf(of: PullRef): AsyncGenerator<Parameters<typeof engine.fetchUnit>[0]> {
    for (let page = 0, isLast = false; !isLast; page += 1) {
      const planned = await engine.planPage({ ref: of, page }, contextOf());
      for (let unit = 0; unit < planned.units; unit += 1) yield { ref: of, page, unit };
      ({ isLast } = planned);
    }
  }
}

const [source = '', folder = ''] = process.argv.slice(2);
await main(source, folder);
