import { describe, expect, it } from '@jest/globals';
import { commandsAt } from '../../src/cli/at-cluster.js';
import { readFailureHints } from '../../src/cli/failure-hints.js';

describe('a command that a person is told to type', () => {
  const complete = commandsAt(readFailureHints(['pulls', '--cluster', 'temporal:7233']));

  it.each([
    ['Look: waybill watch m-1', 'Look: waybill watch --cluster temporal:7233 m-1'],
    ['Run `waybill doctor`.', 'Run `waybill doctor --cluster temporal:7233`.'],
    [
      'Look: waybill watch m-1   Stop it: waybill pause m-1',
      'Look: waybill watch --cluster temporal:7233 m-1   Stop it: waybill pause --cluster temporal:7233 m-1',
    ],
    [
      'start one: waybill worker --site gpu. It goes on',
      'start one: waybill worker --cluster temporal:7233 --site gpu. It goes on',
    ],
  ])('names the cluster that this command line named: %s', (text, completed) => {
    expect(complete(text)).toBe(completed);
  });

  it.each([
    'waybill worker --cluster temporal:7233 --namespace models',
    'go on with: waybill pull a gpu:/b --cluster temporal:7233',
    'check it again with: waybill verify ./model',
    'the file waybill watches',
  ])('stays as it is where it does, or where that is nothing to it: %s', (text) => {
    expect(complete(text)).toBe(text);
  });

  it('stays as it is where no flag names a cluster, and names the namespace of a flag', () => {
    expect(commandsAt(readFailureHints(['pulls', '--', '--cluster', 'x']))('waybill pulls')).toBe(
      'waybill pulls',
    );
    const named = commandsAt(readFailureHints(['pulls', '--cluster=h:1', '--namespace', 'a b']));
    expect(named('waybill pulls')).toBe("waybill pulls --cluster h:1 --namespace 'a b'");
  });
});
