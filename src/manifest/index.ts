/** The record of what arrived: its formats, its digests, and comparing two of them. Pure. */
export {
  compareManifests,
  compareSorted,
  compareWithListing,
  isUnchangedAtSource,
} from './compare.js';
export type { Compared, Verdict } from './compare.js';
export { RecordWriter, TreeDigester, digestTree } from './digests.js';
export { LateFolders } from './oms-order.js';
export type { Hasher, NewSha256, RecordLines, RecordTotals, TreeDigests } from './digests.js';
export { decodeManifest, decodeManifestLine, encodeManifestLine } from './manifest.js';
export { localStampOf, sameLocalStamp } from './local-stamp.js';
export type { LocalStamp, ManifestEntry } from './manifest.js';
export {
  RECORD_FILES,
  MAX_NAMES_IN_RECEIPT,
  capNames,
  decodeReceipt,
  decodeSeal,
  encodeReceipt,
  encodeSeal,
  howToCheck,
  recordFolderBeside,
} from './receipt.js';
export type { Receipt, Seal } from './receipt.js';
export { collectSums, formatSumsLine, parseSums, parseSumsLine } from './sha256sums.js';
export type { ParseSumsOptions, SumsEntry } from './sha256sums.js';
