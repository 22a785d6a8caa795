/** A process that pulls with an engine of its own, to be killed: `pull-process URI DESTINATION`. */
import { engineOf, pullWith, requestOf } from './engine.js';

const [, , uri = '', destination = ''] = process.argv;
await pullWith(engineOf(), requestOf(uri, destination), 'killed run');
process.exit(0);
