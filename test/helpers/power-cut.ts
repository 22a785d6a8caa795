/** What a power cut means for a pull that an engine makes on a disk that forgets. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkedLine, readCheckedLines } from '../../src/transfer/thread/checked-lines.js';

/**
 * Another boot of the same host: in journals and sidecars every line of a writer names a boot that is gone. Lines that
 * the cut has torn or damaged stay as they are.
 */
export function ageRecords(recordDir: string): void {
  for (const folder of ['journal', 'partial']) {
    for (const name of namesIn(join(recordDir, folder))) {
      if (!/\.(?:journal|parts)$/u.test(name)) continue;
      const path = join(recordDir, folder, name);
      const text = readFileSync(path, 'latin1');
      const aged = text
        .split('\n')
        .map((line) => {
          const whole = [...readCheckedLines(Buffer.from(line, 'latin1').toString('utf8'))][0];
          if (whole?.includes('"bootId"') !== true) return line;
          const value = { ...(JSON.parse(whole) as object), bootId: 'a boot before' };
          return checkedLine(JSON.stringify(value)).trimEnd();
        })
        .join('\n');
      // Flushed: the disk had these lines, and a second cut must not take them.
      if (aged !== text) writeFileSync(path, aged, { encoding: 'latin1', flush: true });
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
