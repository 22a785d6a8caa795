/** Results as rows of figures, and as a Markdown table. */
import type { PlaceName } from './case.js';
import type { CaseResult, Row } from './run-case.js';

/** The figures of a row: medians over its runs. */
export interface Figures {
  readonly contender: string;
  readonly place: PlaceName;
  readonly seconds?: number;
  readonly fastest?: number;
  readonly slowest?: number;
  readonly cpuSeconds?: number;
  readonly peakBytes?: number;
  /** The baseline's median time divided by this one's: 0.5 is a baseline twice as fast. */
  readonly ratio?: number;
  readonly problem?: string;
}

export function medianOf(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

export function figuresOf(result: CaseResult): readonly Figures[] {
  return result.rows.map((row) => {
    const baseline = result.rows.find(
      ({ contender, place }) => contender === result.baseline && place === row.place,
    );
    return figuresOfRow(row, medianOf(baseline?.runs.map(({ seconds }) => seconds) ?? []));
  });
}

function figuresOfRow({ contender, place, runs, problem }: Row, baseline?: number): Figures {
  const said = { contender, place, ...(problem === undefined ? {} : { problem }) };
  const times = runs.map((run) => run.seconds);
  const seconds = medianOf(times);
  const cpuSeconds = medianOf(runs.map((run) => run.cpuSeconds));
  const peakBytes = medianOf(runs.map((run) => run.peakBytes));
  if (seconds === undefined || cpuSeconds === undefined || peakBytes === undefined) return said;
  return {
    ...said,
    seconds,
    fastest: Math.min(...times),
    slowest: Math.max(...times),
    cpuSeconds,
    peakBytes,
    ...(baseline === undefined ? {} : { ratio: baseline / seconds }),
  };
}

/** A heading, a sentence and a table for each place. */
export function tableOf(result: CaseResult): string {
  const { name, what, scale, rounds, baseline } = result;
  const figures = figuresOf(result);
  const places = [...new Set(figures.map(({ place }) => place))];
  const scaled = scale === 1 ? '' : `, at scale ${scale}`;
  const parts = places.map((place) => {
    const head = `| to ${place} | seconds | from, to | ${baseline} / this | CPU seconds | peak MiB |`;
    const rows = figures.filter((one) => one.place === place).map(lineOf);
    return [head, '| --- | --: | --- | --: | --: | --: |', ...rows].join('\n');
  });
  const rounding = `${rounds} ${rounds === 1 ? 'round' : 'rounds'}, medians${scaled}`;
  return [`### ${name}`, `${what} ${rounding}.`, ...parts].join('\n\n');
}

function lineOf(one: Figures): string {
  const { contender, seconds, fastest = 0, slowest = 0, ratio, cpuSeconds = 0 } = one;
  const problem = one.problem?.replaceAll('|', '/').replaceAll('\n', ' ');
  if (seconds === undefined) return `| ${contender} | ${problem ?? 'not run'} | | | | |`;
  const range = `${digits(fastest)}, ${digits(slowest)}`;
  const cells = [
    problem === undefined ? contender : `${contender} (${problem})`,
    digits(seconds),
    range,
    ratio === undefined ? '' : ratio.toFixed(2),
    digits(cpuSeconds),
    Math.round((one.peakBytes ?? 0) / 1024 / 1024).toString(),
  ];
  return `| ${cells.join(' | ')} |`;
}

function digits(seconds: number): string {
  return seconds.toFixed(seconds < 10 ? 2 : 1);
}
