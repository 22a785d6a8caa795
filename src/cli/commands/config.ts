/** `waybill config show`: every value and where it came from. */
import type { CommandContext } from '../context.js';
import { formatColumns } from '../table.js';

/** Prints the settings, the folders, the Temporal and the connections; never a secret. */
export function runConfigShow({ config, output, redactor }: CommandContext): Promise<number> {
  const settings = [...config.settings.values()].map(({ name, text, value, origin }) => ({
    name,
    value: text === undefined ? null : redactor.redact(text),
    parsed: value ?? null,
    origin,
  }));
  const temporal =
    config.temporal.kind === 'cluster'
      ? `cluster at ${config.temporal.address}`
      : `local service, ${config.temporal.mode}`;
  if (output.isJson) {
    const { stateDir, cacheDir, files } = config;
    const connections = config.connections.map(({ name, type, url, match, file }) => ({
      name,
      type,
      url: url === undefined ? null : redactor.redact(url),
      match,
      file,
    }));
    output.json({
      settings: settings.map(({ name, value, origin }) => ({ name, value, origin })),
      stateDir,
      cacheDir,
      temporal: config.temporal,
      files,
      connections,
    });
    return Promise.resolve(0);
  }
  const rows = settings.map(({ name, value, origin }) => [name, value ?? '-', origin]);
  output.result(formatColumns([['setting', 'value', 'from'], ...rows]));
  output.result('');
  output.result(
    formatColumns([
      ['Temporal', temporal, config.temporal.why],
      ['state folder', config.stateDir, ''],
      ['cache folder', config.cacheDir, ''],
      ...config.files.map((file) => ['configuration file', file, '']),
      ...config.connections.map(({ name, type, url, match }) => [
        `connection ${name}`,
        [type, url === undefined ? '' : redactor.redact(url), match.join(' ')].join(' '),
        '',
      ]),
    ]),
  );
  return Promise.resolve(0);
}
