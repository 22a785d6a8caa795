/** A ticket of Kerberos that has ended. */
import type { Kerberos } from '../../helpers/kerberos.js';

/** One of ada's, ended for a second at least. Answers its cache. */
export async function endedTicket(kerberos: Kerberos): Promise<string> {
  const cache = await kerberos.kinit('ada', { lifetime: '1s' });
  const isThere = (): Promise<boolean> =>
    kerberos.run('klist', ['-s', '-c', cache]).then(
      () => true,
      () => false,
    );
  while (await isThere());
  const second = Math.floor(Date.now() / 1000);
  while (Math.floor(Date.now() / 1000) <= second + 1) await isThere();
  return cache;
}
