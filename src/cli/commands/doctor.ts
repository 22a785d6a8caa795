/** `waybill doctor`: each check with its finding and the command that mends it. */
import {
  runDoctor as checkAll,
  type DoctorCheck,
  type DoctorReport,
} from '../../service/doctor.js';
import type { Config } from '../../config.js';
import { findTemporalCli } from '../../service/temporal-cli.js';
import type { CommandContext } from '../context.js';
import { checkCertificates, checkProxies } from '../doctor-network.js';

const MARKS: Readonly<Record<DoctorCheck['result'], string>> = {
  ok: 'ok      ',
  warning: 'warning ',
  problem: 'PROBLEM ',
};

/** Runs the checks; a problem is exit 10. */
export async function runDoctor({ config, output }: CommandContext): Promise<number> {
  const { stateDir, cacheDir, temporal } = config;
  const report = await examine(config);
  const exitCode = report.ok ? 0 : 10;
  if (output.isJson) {
    output.jsonResult({ ...report, temporal, stateDir, cacheDir }, exitCode);
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

/** The checks of the machine and its service, of the environment, and of the cluster where one is chosen. */
async function examine({
  stateDir,
  cacheDir,
  temporalCli,
  temporal,
  settings,
}: Config): Promise<DoctorReport> {
  const temporalCliOrigin = settings.get('temporal-cli')?.origin;
  const report = await checkAll({ stateDir, cacheDir, temporalCli, temporalCliOrigin });
  const checks = [...report.checks, checkCertificates(), checkProxies()];
  if (temporal.kind === 'cluster') {
    // The client is loaded where it is needed.
    const { checkCluster } = await import('../doctor-cluster.js');
    const findCli = async (): Promise<string | undefined> => {
      const found = findTemporalCli({ cacheDir, explicitPath: temporalCli }).catch(() => undefined);
      return (await found)?.path;
    };
    checks.push(...(await checkCluster(temporal, findCli)));
  }
  return { ...report, ok: checks.every(({ result }) => result !== 'problem'), checks };
}
