/** A bounded number of connections, shared fairly in the order of asking. */

/** Hands out permits; a caller that may use several gets what is free, at least one. */
export class Permits {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(private total: number) {
    this.free = total;
  }

  /** None is left to be taken. */
  get isEmpty(): boolean {
    return this.free <= 0;
  }

  /** Changes how many there are; below what is taken now, nothing is given until enough has come back. */
  resize(total: number): void {
    const more = total - this.total;
    this.total = total;
    this.free += more;
    for (let index = 0; index < more; index += 1) this.waiting.shift()?.();
  }

  /** Waits for at least one permit and takes up to `wanted`. Rejects with the signal's reason. */
  async take(wanted: number, signal: AbortSignal): Promise<number> {
    while (this.free <= 0) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const wake = (): void => {
          signal.removeEventListener('abort', stop);
          resolve();
        };
        const stop = (): void => {
          this.waiting.splice(this.waiting.indexOf(wake), 1);
          reject(signal.reason as Error);
        };
        this.waiting.push(wake);
        signal.addEventListener('abort', stop, { once: true });
      });
    }
    const taken = Math.min(wanted, this.free);
    this.free -= taken;
    return taken;
  }

  give(count: number): void {
    this.free += count;
    for (let index = 0; index < count; index += 1) this.waiting.shift()?.();
  }
}
