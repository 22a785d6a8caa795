#!/usr/bin/env node
/** The command line, from few files or from many (config/bundle.ts). */
import { bundled } from '../config/bundle.js';

// A command that is a worker itself needs all of Temporal's SDK, and that in one copy.
const isWorker = process.argv.includes('worker') || process.argv.includes('--here');

await import((isWorker ? undefined : bundled('command')) ?? './run.js');
