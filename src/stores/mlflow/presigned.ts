/** Presigned addresses, kept until shortly before they expire: one serves all ranges of a file. */
import type { ArtifactRoute, PresignedUrl } from './routes.js';
import type { Question } from './rest.js';

/** Files that are read at once, with room to spare. */
const MAX_KEPT = 512;

/** Clocks differ, and a request takes its time to arrive. */
const MARGIN_MS = 15_000;

/** Without a stated lifetime, as little as a server would sensibly give. */
const DEFAULT_LIFETIME_MS = 60_000;

interface Kept {
  readonly asked: Promise<PresignedUrl>;
  usableUntilMs: number;
}

/** How long an address lives from now on: AWS and Google say it in the query. */
function lifetimeMsOf(url: string): number {
  const query = new URL(url).searchParams;
  const seconds = Number(query.get('X-Amz-Expires') ?? query.get('X-Goog-Expires') ?? '');
  return seconds > 0 ? seconds * 1_000 : DEFAULT_LIFETIME_MS;
}

/** Asks a route for presigned addresses, once per file and lifetime. Times are monotonic. */
export class PresignedUrls {
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly route: ArtifactRoute) {}

  /** The address of a file; several readers of one file share one question. */
  async of(path: string, question: Question): Promise<PresignedUrl> {
    const found = this.kept.get(path);
    if (found && performance.now() < found.usableUntilMs) return found.asked;
    // One reader's abort must not fail the others, so the question is asked without its signal.
    const { signal, ...shared } = question;
    const askedAtMs = performance.now();
    const asked = this.route.presign(path, shared);
    const entry: Kept = { asked, usableUntilMs: Infinity };
    this.kept.delete(path);
    this.kept.set(path, entry);
    const oldest = this.kept.size > MAX_KEPT ? this.kept.keys().next().value : undefined;
    if (oldest !== undefined) this.kept.delete(oldest);
    try {
      const answer = await untilAborted(asked, signal);
      const lifetimeMs = lifetimeMsOf(answer.url);
      entry.usableUntilMs = askedAtMs + lifetimeMs - Math.min(MARGIN_MS, lifetimeMs / 4);
      return answer;
    } catch (error) {
      if (this.kept.get(path) === entry) this.kept.delete(path);
      throw error;
    }
  }

  /** Forgets an address that the storage refused, so that the next question is asked anew. */
  forget(path: string, refused: PresignedUrl): void {
    const found = this.kept.get(path);
    if (!found) return;
    void found.asked.then(
      (answer) => {
        if (answer.url === refused.url && this.kept.get(path) === found) this.kept.delete(path);
      },
      () => undefined,
    );
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
