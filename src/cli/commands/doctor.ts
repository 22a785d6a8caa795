/** `waybill doctor`: each check with its finding and the command that mends it. */
import { runDoctor as checkAll, type DoctorCheck } from '../../service/doctor.js';
import type { CommandContext } from '../context.js';

const MARKS: Readonly<Record<DoctorCheck['result'], string>> = {
  ok: 'ok      ',
  warning: 'warning ',
  problem: 'PROBLEM ',
};

/** Runs the checks; a problem is exit 10. */
export async function runDoctor({ config, output }: CommandContext): Promise<number> {
  const { stateDir, cacheDir, temporalCli, temporal } = config;
  const report = await checkAll({ stateDir, cacheDir, temporalCli });
  const exitCode = report.ok ? 0 : 10;
  if (output.isJson) {
    output.json({ ...report, temporal, stateDir, cacheDir, exitCode });
    return exitCode;
  }
  if (output.isQuiet && report.ok) return exitCode;
  for (const { name, result, finding, remedy } of report.checks) {
    output.result(`${MARKS[result]} ${name}: ${finding}`);
    if (remedy !== undefined) output.result(`          -> ${remedy}`);
  }
  if (temporal.kind === 'cluster') {
    output.result(`          Pulls go to the cluster at ${temporal.address} (${temporal.why}).`);
  }
  output.result(report.ok ? 'All is well.' : 'Mend what is marked PROBLEM, top to bottom.');
  return exitCode;
}
