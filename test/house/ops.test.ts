import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runTool } from '../../src/service/run-tool.js';
import { METRICS } from '../../src/telemetry/metric-table.js';
import type { DebianProgram } from '../helpers/debian.js';
import { namedMetrics, readAlerts, readDashboard } from '../helpers/ops-metrics.js';
import { ensurePromtool } from '../helpers/promtool.js';

const OPS = fileURLToPath(new URL('../../../ops/', import.meta.url));
let promtool: DebianProgram;

beforeAll(async () => {
  promtool = await ensurePromtool((line) => void process.stderr.write(`${line}\n`));
}, 300_000);

async function run(...args: readonly string[]): Promise<readonly [number | undefined, string]> {
  const { exitCode, output } = await runTool({
    command: promtool.path,
    args,
    cwd: OPS,
  });
  return [exitCode, output];
}

describe('the alert rules', () => {
  it('are what Prometheus takes', async () => {
    const [exitCode, output] = await run('check', 'rules', 'alerts.yml');
    expect([exitCode, output]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });

  it('fire when they should, and not before', async () => {
    const [exitCode, output] = await run('test', 'rules', 'alerts.test.yml');
    expect([exitCode, output]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });

  it('have a case in the test of the rules each, and a row in docs/operations.md with what to do', () => {
    const cases = readFileSync(`${OPS}alerts.test.yml`, 'utf8');
    const page = readFileSync(`${OPS}../docs/operations.md`, 'utf8');
    const rows = page.split('\n').flatMap((line) => {
      const [, alert = '', severity = '', action = ''] = line.split('|').map((cell) => cell.trim());
      return /^`Waybill[A-Z]/u.test(alert) ? [[alert, severity, action]] : [];
    });
    const alerts = readAlerts();
    for (const { alert } of alerts) expect(cases).toContain(`alertname: ${alert}\n`);
    expect(rows).toEqual(
      alerts.map(({ alert, labels, annotations }) => [
        `\`${alert}\``,
        labels.severity,
        annotations.action,
      ]),
    );
  });
});

describe('the dashboard', () => {
  it('names no metric of ours that is not in the table, and shows each that is', () => {
    const own = [...namedMetrics()].filter((name) => name.startsWith('waybill_'));
    const table = Object.values(METRICS).map(({ name }) => name);
    expect(own.sort()).toEqual([...table].sort());
  });

  it('has panels that do not lie on each other, with an id of their own', () => {
    const { panels } = readDashboard();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});
