/** The kill campaign: waves of pulls, each wave with its victim. See `main.ts` for the command line. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mayMount, mountTmpfs } from '../helpers/mount.js';
import { scratchFolder } from '../helpers/processes.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSources, type Sources, type StoreName, type TreeKind } from './sources.js';
import { VICTIMS, type Victim } from './victims.js';
import { runWave, type RoundOutcome, type WaveSettings } from './wave.js';

/** What a campaign is asked for. */
export interface KillCampaign {
  readonly seed: number;
  /** The numbers of the rounds: from `first` on, so many. */
  readonly first: number;
  readonly rounds: number;
  readonly stores: readonly StoreName[];
  readonly kinds: readonly TreeKind[];
  /** All by default. */
  readonly victims?: readonly Victim[];
  /** Services beside each other, each with one wave at a time. */
  readonly jobs: number;
  readonly onRound: (outcome: RoundOutcome) => void;
  /** When it aborts, the waves under way are the last. */
  readonly signal?: AbortSignal;
}

/** Rounds of a wave. A round is repeated by its whole wave: its neighbours are part of what happened. */
export const WAVE_ROUNDS = 10;

/** Room for what the pulls of one service hold at a time. */
const DISK_BYTES = 640 * 1024 * 1024;

/** After so many waves a service starts from an empty state folder: its database has grown enough. */
const WAVES_PER_STATE = 20;

/** Runs a campaign and answers every round. */
export async function runKillCampaign(campaign: KillCampaign): Promise<RoundOutcome[]> {
  const base = scratchFolder('chaos');
  const sources = await startSources(base, campaign.stores);
  const outcomes: RoundOutcome[] = [];
  const waves = wavesOf(campaign);
  try {
    const lanes = Array.from({ length: Math.max(1, campaign.jobs) }, async (_, lane) => {
      for await (const wave of runLane(campaign, sources, join(base, `lane-${lane}`), waves)) {
        for (const outcome of wave) campaign.onRound(outcome);
        outcomes.push(...wave);
      }
    });
    const ends = await Promise.allSettled(lanes);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  } finally {
    await sources.stop();
    rmSync(base, { recursive: true, force: true });
  }
  return outcomes.sort((a, b) => a.round - b.round);
}

/** First round and width of every wave. */
function wavesOf(campaign: KillCampaign): { first: number; width: number }[] {
  const waves = [];
  const end = campaign.first + campaign.rounds;
  for (let first = campaign.first; first < end; first += WAVE_ROUNDS) {
    waves.push({ first, width: Math.min(WAVE_ROUNDS, end - first) });
  }
  return waves;
}

async function* runLane(
  campaign: KillCampaign,
  sources: Sources,
  base: string,
  waves: { first: number; width: number }[],
): AsyncGenerator<RoundOutcome[]> {
  const disk = mayMount() ? mountTmpfs({ sizeBytes: DISK_BYTES }) : undefined;
  const settings: WaveSettings = {
    seed: campaign.seed,
    stores: campaign.stores,
    kinds: campaign.kinds,
    victims: (campaign.victims ?? VICTIMS).filter((victim) => disk || victim !== 'disk, full'),
    disk: disk?.path,
  };
  const destinations = join(disk?.path ?? base, 'pulled');
  let bed: WaybillBed | undefined;
  try {
    for (let count = 0; ; count += 1) {
      const wave = waves.shift();
      if (wave === undefined || campaign.signal?.aborted === true) return;
      if (count % WAVES_PER_STATE === 0) {
        await bed?.close();
        mkdirSync(base, { recursive: true });
        bed = openWaybill(join(base, `service-${count}`));
      }
      if (bed === undefined) return;
      yield await runWave(settings, bed, sources, destinations, wave.first, wave.width);
    }
  } finally {
    await bed?.close();
    disk?.unmount();
  }
}
