/** The names of metrics in what operators load: alert rules and a dashboard. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import * as z from 'zod';

const root = new URL('../../../', import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.looseObject({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['info', 'warning', 'critical']) }),
          annotations: z.object({ summary: z.string(), action: z.string() }),
        }),
      ),
    }),
  ),
});

const dashboardSchema = z.looseObject({
  panels: z.array(
    z.looseObject({
      id: z.number(),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.looseObject({ expr: z.string() })),
    }),
  ),
});

export type AlertRule = z.infer<typeof rulesSchema>['groups'][number]['rules'][number];

export function readAlerts(): readonly AlertRule[] {
  return rulesSchema.parse(parse(text('ops/alerts.yml'))).groups.flatMap(({ rules }) => rules);
}

export function readDashboard(): z.infer<typeof dashboardSchema> {
  return dashboardSchema.parse(JSON.parse(text('ops/grafana-dashboard.json')));
}

/** Every metric of Waybill or the SDK that a rule or a panel names. */
export function namedMetrics(): ReadonlySet<string> {
  const expressions = [
    ...readAlerts().map(({ expr }) => expr),
    ...readDashboard().panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ];
  return new Set(expressions.flatMap((expr) => expr.match(/\b(?:waybill|temporal)_\w+/gu) ?? []));
}
