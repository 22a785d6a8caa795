/** How well a file is proven, weakest first. */
export const LEVELS = ['none', 'size', 'provider', 'published', 'digest'] as const;

/**
 * `none`: no known size. `size`: the size that the source said. `provider`: a checksum that the store computed.
 * `published`: an expected SHA-256 that lies with the source. `digest`: an expected SHA-256 that the caller gave.
 */
export type Level = (typeof LEVELS)[number];

/** Whether `level` is at least `required`. */
export function reaches(level: Level, required: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(required);
}

/** How many files reached each level; levels that no file has are absent. */
export type LevelCounts = Partial<Record<Level, number>>;
