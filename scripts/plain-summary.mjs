// A Jest reporter: closes the run with one plain line that any reader of logs can count by.
// Jest takes a reporter from a default export, and from nothing else.
export default class PlainSummary {
  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = results;
    const failed = numFailedTests + results.numFailedTestSuites * (numFailedTests === 0 ? 1 : 0);
    const skipped = numPendingTests + numTodoTests;
    const end = skipped === 0 ? '' : `, ${skipped} skipped`;
    process.stderr.write(`${numPassedTests} passed, ${failed} failed${end}\n`);
  }
}
