// A Jest reporter: closes the run with one plain line that any reader of logs can count by, and leaves what each suite
// came to in the file that TEST_SUMMARY names.
import { writeFileSync } from 'node:fs';
import { countLine, countSuite } from './second-try.mjs';

// Jest takes a reporter from a default export, and from nothing else.
export default class PlainSummary {
  onRunComplete(_contexts, results) {
    const suites = results.testResults.map(countSuite);
    const file = process.env.TEST_SUMMARY;
    if (file !== undefined) writeFileSync(file, JSON.stringify(suites));
    process.stderr.write(`${countLine(suites)}\n`);
  }
}
