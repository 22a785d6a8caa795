/** `npm run bench -- [NAME...] [options]`. */
import { parseArgs } from 'node:util';
import type { PlaceName } from './case.js';

export interface BenchArguments {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly scale: number;
  readonly places: readonly PlaceName[];
  /** Checkouts of Waybill to be measured beside this one. */
  readonly against: readonly string[];
  /** Keeps the contenders whose names contain one of these. */
  readonly only: readonly string[];
  readonly json?: string;
  /** Where the images go; undefined: none are drawn. */
  readonly svg?: string;
  readonly isList: boolean;
}

export const USAGE = `npm run bench -- [NAME...] [options]     every case by default; --list names them

  --rounds N        how often each contender runs (3)
  --scale X         sizes and counts times X: 0.1 for a quick look (1)
  --place PLACE     tmpfs or disk only
  --only TEXT       only contenders whose name contains TEXT; may be repeated
  --against DIR     another checkout of Waybill, built, as one more contender; may be repeated
  --json FILE       the figures of every run
  --svg DIR         draw an image of each case (docs/bench, when everything runs at scale 1)`;

/** @throws Error with what is wrong and the usage */
export function parseBenchArguments(
  argv: readonly string[],
  known: readonly string[],
): BenchArguments {
  const text = { type: 'string' } as const;
  const texts = { type: 'string', multiple: true } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      rounds: text,
      scale: text,
      place: texts,
      only: texts,
      against: texts,
      json: text,
      svg: text,
      list: { type: 'boolean' },
    },
  });
  const strange = positionals.find((name) => !known.includes(name));
  if (strange !== undefined) {
    throw new Error(`there is no case "${strange}". The cases: ${known.join(', ')}`);
  }
  const scale = positive('--scale', values.scale ?? '1');
  const { json, svg = positionals.length === 0 && scale === 1 ? 'docs/bench' : undefined } = values;
  return {
    names: positionals.length === 0 ? known : positionals,
    rounds: Math.ceil(positive('--rounds', values.rounds ?? '3')),
    scale,
    places: values.place === undefined ? ['tmpfs', 'disk'] : values.place.map(placeOf),
    against: values.against ?? [],
    only: values.only ?? [],
    ...(json === undefined ? {} : { json }),
    ...(svg === undefined ? {} : { svg }),
    isList: values.list ?? false,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value;
  throw new Error(`${name} ${text}: a number above 0 is meant`);
}

function placeOf(text: string): PlaceName {
  if (text === 'tmpfs' || text === 'disk') return text;
  throw new Error(`--place ${text}: tmpfs or disk`);
}
