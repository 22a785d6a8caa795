/** The worker as a process, from few files or from many (config/bundle.ts). */
import { bundled } from './config/bundle.js';

const { main } = (await import(bundled('worker') ?? './run-worker.js')) as {
  main: () => Promise<void>;
};
await main();
