/** How fast a pull may go, as asked for and as tuned since; passes changes on to the workers. */
import { condition, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.js';
import type { PullLimits, PullRequest } from '../model/pull.js';
import type { PullRef } from '../transfer/api.js';
import { POLICIES } from './policies.js';

/** How long a pull may stand still is for the workflow to know. */
function forWorkers(limits: PullLimits): PullLimits {
  const rest: PullLimits = { ...limits };
  Reflect.deleteProperty(rest, 'giveUpAfterMs');
  return rest;
}

/** The limits of one pull. */
export class Limits {
  private tuned: PullLimits = {};
  private isChanged = false;
  private isPassingOn = false;
  private ref: PullRef | undefined;

  constructor(
    private readonly asked: PullRequest,
    private readonly transferQueue: string,
  ) {}

  /** What holds now; undefined: no limit was ever asked for. */
  get now(): PullLimits | undefined {
    const { concurrency, maxBytesPerSecond, maxRequestsPerSecond } = this.asked;
    const asked = { concurrency, maxBytesPerSecond, maxRequestsPerSecond };
    const all = Object.entries({ ...asked, ...forWorkers(this.tuned) });
    const set = all.filter(([, value]) => value !== undefined && value !== null);
    return set.length === 0 ? undefined : Object.fromEntries(set);
  }

  /** How long the pull may stand still; undefined: for ever. */
  get giveUpAfterMs(): number | undefined {
    const tuned = this.tuned.giveUpAfterMs;
    return tuned === undefined ? this.asked.giveUpAfterMs : (tuned ?? undefined);
  }

  /** Takes a change; the workers hear of it as soon as the destination is claimed. */
  change(limits: PullLimits): void {
    this.tuned = { ...this.tuned, ...limits };
    if (Object.keys(forWorkers(limits)).length === 0) return;
    this.isChanged = true;
    void this.passOn();
  }

  /** From now on changes can be passed on. */
  claimed(ref: PullRef): void {
    this.ref = ref;
    void this.passOn();
  }

  /** Waits for what is being passed on: nothing may write once the destination is sealed. */
  async settled(): Promise<void> {
    if (this.isPassingOn) await condition(() => !this.isPassingOn);
  }

  private async passOn(): Promise<void> {
    const { ref, transferQueue } = this;
    if (ref === undefined || this.isPassingOn) return;
    this.isPassingOn = true;
    while (this.isChanged) {
      this.isChanged = false;
      const activities = proxyActivities<Activities>({
        ...POLICIES.tune,
        taskQueue: transferQueue,
        summary: 'new limits',
      });
      // A pull that cannot be tuned goes on as it was; whoever tuned it sees that in its status.
      await activities.tune({ ref, limits: forWorkers(this.tuned) }).catch(() => undefined);
    }
    this.isPassingOn = false;
  }
}
