/**
 * What a workflow of the local service believes (rule 1). The codec has put a stand-in where a signature was missing or
 * wrong; here a start without one ends, a signal is dropped, and the answer of an activity counts as lost, so that the
 * work is done again. On a cluster, which has a sign-in of its own, nothing is signed and all of this passes.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  uuid4,
  workflowInfo,
  type ActivityInput,
  type ContinueAsNewInput,
  type Next,
  type SignalInput,
  type SignalWorkflowInput,
  type StartChildWorkflowExecutionInput,
  type WorkflowExecuteInput,
  type WorkflowInboundCallsInterceptor,
  type WorkflowInterceptors,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import { isUnsigned } from '../model/unsigned.js';
import { isSignalWord, SHARD_WORKFLOW, type SignalWord } from './messages.js';
import { ending } from './outcomes.js';

/** The run of the root: its own of a root, its parent's of a shard. */
function pullRun(): string {
  const { parent, runId } = workflowInfo();
  return parent?.runId ?? runId;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

/** Whether an input may start this workflow. A shard is started by its root alone. */
function mayStart(input: unknown, isSigned: boolean): boolean {
  if (typeof input !== 'object' || input === null || isUnsigned(input)) return false;
  const { workflowType, parent } = workflowInfo();
  if (workflowType !== SHARD_WORKFLOW) return typeof fieldOf(input, 'request') === 'object';
  const isByRoot = parent !== undefined && parent.workflowId === fieldOf(input, 'rootId');
  return Array.isArray(fieldOf(input, 'pages')) && (isByRoot || !isSigned);
}

/** The work counts as lost with its worker, which is what a forged answer amounts to. */
function lost(): ApplicationFailure {
  const message = 'somebody else answered for the worker; the work is done again';
  return ending('WB_TEMPORAL_UNREACHABLE', message);
}

/** A failure that an activity of ours throws says so in signed details; Temporal's own (timeouts) have none. */
function isForged(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) return false;
  const [facts] = cause.details ?? [];
  return facts === undefined || isUnsigned(facts);
}

class Guard implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor {
  private isSigned = false;
  private readonly heard = new Set<string>();

  async execute(
    input: WorkflowExecuteInput,
    next: Next<WorkflowInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    const [first] = input.args;
    this.isSigned = fieldOf(first, 'isSigned') === true;
    if (!mayStart(first, this.isSigned)) {
      throw ending('WB_PERMISSION_DENIED', 'this start is refused: it was not signed by Waybill');
    }
    return next(input);
  }

  async handleSignal(
    input: SignalInput,
    next: Next<WorkflowInboundCallsInterceptor, 'handleSignal'>,
  ): Promise<void> {
    if (!this.isSigned) return next(input);
    const word = input.args.at(-1);
    // Signed, for this run, and not heard before.
    if (input.args.some(isUnsigned) || !isSignalWord(word)) return;
    if (word.run !== pullRun() || this.heard.has(word.nonce)) return;
    this.heard.add(word.nonce);
    return next({ ...input, args: input.args.slice(0, -1) });
  }

  async scheduleActivity(
    input: ActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>,
  ): Promise<unknown> {
    if (!this.isSigned) return next(input);
    let answer: unknown;
    try {
      answer = await next(input);
    } catch (error) {
      throw isForged(error) ? lost() : error;
    }
    // Only `release` has nothing to answer.
    const isMissing = answer === undefined && input.activityType !== 'release';
    if (isMissing || isUnsigned(answer)) throw lost();
    return answer;
  }

  startChildWorkflowExecution(
    input: StartChildWorkflowExecutionInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'startChildWorkflowExecution'>,
  ): ReturnType<typeof next> {
    const [first, ...rest] = input.options.args ?? [];
    if (!this.isSigned || typeof first !== 'object' || first === null) return next(input);
    const args = [{ ...first, isSigned: true }, ...rest];
    return next({ ...input, options: { ...input.options, args } });
  }

  signalWorkflow(
    input: SignalWorkflowInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'signalWorkflow'>,
  ): Promise<void> {
    if (!this.isSigned) return next(input);
    const word: SignalWord = { run: pullRun(), nonce: uuid4() };
    return next({ ...input, args: [...input.args, word] });
  }

  continueAsNew(
    input: ContinueAsNewInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'continueAsNew'>,
  ): Promise<never> {
    const [first, ...rest] = input.args;
    if (!this.isSigned || typeof first !== 'object' || first === null) return next(input);
    return next({ ...input, args: [{ ...first, isSigned: true }, ...rest] });
  }
}

/** What Temporal's worker puts around every workflow of the bundle. */
export function interceptors(): WorkflowInterceptors {
  const guard = new Guard();
  return { inbound: [guard], outbound: [guard] };
}
