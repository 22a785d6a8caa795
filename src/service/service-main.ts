/** The background service as a process, from few files or from many (config/bundle.ts). */
import { bundled } from '../config/bundle.js';

await import(bundled('service') ?? './run-service.js');
