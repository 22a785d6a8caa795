/** `waybill seal <directory>`: the manifest of a tree, before it is published. */
import { formatBytes, formatCount } from '../../model/sizes.js';
import { sealTree } from '../../transfer/seal-tree.js';
import type { CommandContext } from '../context.js';
import { runInProcess } from '../in-process.js';
import { packageVersion } from '../version.js';

/** Seals a tree. */
export async function runSeal(
  context: CommandContext,
  [directory = '']: readonly (string | undefined)[],
): Promise<number> {
  const { output } = context;
  const report = await runInProcess(context, 'hashing', ({ signal, progress }) =>
    sealTree(directory, { waybill: packageVersion(), signal, progress }),
  );
  if (output.isJson) {
    output.jsonResult(report);
    return 0;
  }
  if (output.isQuiet) {
    output.rawResult(report.treeDigest);
    return 0;
  }
  for (const path of report.skipped) output.say(`not sealed: ${path}`);
  const sealed = report.wasSealed ? 'sealed already, unchanged' : 'sealed';
  output.say(`In ${report.directory}/.waybill; publish the folder with it, for example with`);
  output.say(`mlflow.log_artifacts: a later pull then proves every file (level published).`);
  output.result(
    `${formatCount(report.files, 'file')}, ${formatBytes(report.bytes)} ${sealed}, tree ${report.treeDigest}`,
  );
  return 0;
}
