/** MLflow's SQL store in a SQLite database, of version 2 and later. */
import * as z from 'zod';
import { mlflowError } from '../errors.js';
import type { LoggedModel, Run } from '../schemas.js';
import { optionalText, statusOf, text } from './fields.js';
import { UPLOADED } from './metric.js';
import type { ExperimentRecord, ModelRecord, Records } from './records.js';
import { openSqlite } from './sqlite-file.js';
import type { Query, SqliteFile } from './sqlite-file.js';

const RunRow = z.object({
  run_id: text,
  run_name: optionalText,
  experiment_id: text,
  status: optionalText,
  artifact_uri: optionalText,
  lifecycle_stage: optionalText,
});
const LoggedModelRow = z.object({
  model_id: text,
  experiment_id: optionalText,
  name: optionalText,
  artifact_uri: text,
  status: optionalText,
  source_run_id: optionalText,
});
const VersionRow = z.object({
  name: text,
  version: text,
  current_stage: optionalText,
  source: optionalText,
  storage_location: optionalText,
  run_id: optionalText,
  status: optionalText,
  status_message: optionalText,
});
const AliasRow = z.object({ alias: text, version: text });
const ExperimentRow = z.object({ experiment_id: text, name: text });

const RUN =
  'SELECT run_uuid AS run_id, runs.name AS run_name, experiment_id, status, artifact_uri, lifecycle_stage FROM runs';
const LOGGED_MODEL =
  'SELECT model_id, experiment_id, name, artifact_location AS artifact_uri, status, source_run_id FROM logged_models';

/** Rows that are had at once. */
const PAGE = 500;

/** Opens the database. Without MLflow's tables it is WB_UNSUPPORTED. */
export async function openDatabase(path: string, workspace: string): Promise<Records> {
  const file = await openSqlite(path);
  try {
    const columns = await file.read(columnsOf);
    if (columns('runs').has('run_uuid')) return new SqliteRecords(path, workspace, file, columns);
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  throw mlflowError('WB_UNSUPPORTED', `${path} is a database, and none of MLflow's`, {
    operation: 'resolve',
    scope: 'source',
  });
}

type Columns = (table: string) => ReadonlySet<string>;

function columnsOf(query: Query): Columns {
  const known = new Map<string, Set<string>>();
  const names = z.object({ name: text });
  for (const row of query("SELECT name FROM sqlite_master WHERE type = 'table'")) {
    const { name } = names.parse(row);
    const columns = query('SELECT name FROM pragma_table_info(?)', [name]);
    known.set(name, new Set(columns.map((column) => names.parse(column).name)));
  }
  return (table) => known.get(table) ?? new Set();
}

class SqliteRecords implements Records {
  readonly place: string;

  constructor(
    path: string,
    private readonly workspace: string,
    private readonly file: SqliteFile,
    private readonly columns: Columns,
  ) {
    this.place = `the database ${path}`;
  }

  async run(runId: string): Promise<Run | undefined> {
    return this.file.read((query) => {
      const [row] = query(`${RUN} WHERE run_uuid = ?`, [runId]);
      if (row === undefined) return undefined;
      const run: Run = { info: RunRow.parse(row) };
      if (!this.columns('inputs').has('source_type')) return run;
      const models = query(
        "SELECT destination_id AS model_id FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = ? " +
          "AND destination_type = 'MODEL_OUTPUT'",
        [runId],
      ).map((found) => z.object({ model_id: text }).parse(found));
      return models.length === 0 ? run : { ...run, outputs: { model_outputs: models } };
    });
  }

  async loggedModel(modelId: string): Promise<LoggedModel | undefined> {
    return this.oneModel('model_id = ?', [modelId]);
  }

  async modelOfRun(
    { runId, experimentId }: { readonly runId: string; readonly experimentId: string },
    name: string,
  ): Promise<LoggedModel | undefined> {
    const values = [experimentId, runId, name];
    return this.oneModel('experiment_id = ? AND source_run_id = ? AND name = ?', values);
  }

  /** Databases before MLflow 3 have none. */
  private async oneModel(where: string, values: string[]): Promise<LoggedModel | undefined> {
    if (!this.columns('logged_models').has('model_id')) return undefined;
    const sql = `${LOGGED_MODEL} WHERE ${where} AND lifecycle_stage IS NOT 'deleted' ORDER BY creation_timestamp_ms DESC LIMIT 1`;
    const [row] = await this.file.read((query) => query(sql, values));
    if (row === undefined) return undefined;
    const { status, ...info } = LoggedModelRow.parse(row);
    return { info: { ...info, ...statusOf('model', status) } };
  }

  async model(name: string): Promise<ModelRecord | undefined> {
    return this.file.read((query) => this.modelIn(query, name));
  }

  async *models(): AsyncIterable<ModelRecord> {
    const where = this.inWorkspace('registered_models');
    for await (const row of this.pages(
      `SELECT name FROM registered_models WHERE ${where.sql} ORDER BY name`,
      where.values,
    )) {
      const model = await this.model(z.object({ name: text }).parse(row).name);
      if (model !== undefined) yield model;
    }
  }

  async *experiments(): AsyncIterable<ExperimentRecord> {
    const where = this.inWorkspace('experiments');
    const sql = `SELECT experiment_id, name FROM experiments WHERE lifecycle_stage = 'active' AND ${where.sql} ORDER BY experiment_id`;
    for await (const row of this.pages(sql, where.values)) yield ExperimentRow.parse(row);
  }

  async *runs(
    experimentId: string,
    { modelsOnly }: { readonly modelsOnly: boolean },
  ): AsyncIterable<Run> {
    const only = modelsOnly
      ? ` AND EXISTS (SELECT 1 FROM latest_metrics AS m WHERE m.run_uuid = runs.run_uuid AND m.key = '${UPLOADED}' ` +
        'AND m.value = 1 AND m.is_nan = 0)'
      : '';
    const sql = `${RUN} WHERE experiment_id = ? AND lifecycle_stage = 'active'${only} ORDER BY start_time DESC, run_uuid`;
    for await (const row of this.pages(sql, [experimentId])) yield { info: RunRow.parse(row) };
  }

  close(): void {
    this.file.close();
  }

  private modelIn(query: Query, name: string): ModelRecord | undefined {
    const found = (table: string, columns: string, more = ''): Record<string, unknown>[] => {
      const where = this.inWorkspace(table);
      const sql = `SELECT ${columns} FROM ${table} WHERE ${where.sql} AND name = ?${more}`;
      return query(sql, [...where.values, name]);
    };
    if (found('registered_models', 'name').length === 0) return undefined;
    const hasLocation = this.columns('model_versions').has('storage_location');
    const versions = found(
      'model_versions',
      `name, version, current_stage, source, run_id, status, status_message${hasLocation ? ', storage_location' : ''}`,
      " AND current_stage IS NOT 'Deleted_Internal'",
    );
    const aliases = this.columns('registered_model_aliases').has('alias')
      ? found('registered_model_aliases', 'alias, version', ' ORDER BY alias')
      : [];
    return {
      name,
      versions: versions.map((row) => VersionRow.parse(row)),
      aliases: aliases.map((row) => AliasRow.parse(row)),
    };
  }

  /** Databases have workspaces since MLflow 3.10; without one asked for it is `default`. */
  private inWorkspace(table: string): { readonly sql: string; readonly values: string[] } {
    if (!this.columns(table).has('workspace')) return { sql: '1', values: [] };
    return { sql: 'workspace = ?', values: [this.workspace] };
  }

  private async *pages(
    sql: string,
    values: readonly string[],
  ): AsyncIterable<Record<string, unknown>> {
    for (let offset = 0; ; offset += PAGE) {
      const rows = await this.file.read((query) =>
        query(`${sql} LIMIT ${PAGE} OFFSET ${offset}`, values),
      );
      yield* rows;
      if (rows.length < PAGE) return;
    }
  }
}
