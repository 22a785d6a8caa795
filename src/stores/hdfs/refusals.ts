/** The errors of a source: what was asked, of whom, and as whom. */
import type { WaybillError } from '../../model/errors.js';
import type { HttpAnswer } from '../lib/http-client.js';
import type { FailedAnswer } from '../lib/service-errors.js';
import type { HdfsConfig } from './config.js';
import { errorOfAnswer, notWebHdfs, type Asked } from './errors.js';
import type { SignIns } from './negotiate.js';
import type { HdfsRequest } from './request.js';

/** Tells what went wrong at a source. */
export class Refusals {
  constructor(
    private readonly config: HdfsConfig,
    private readonly signIns: SignIns,
  ) {}

  /** What the error of an answer says besides its cause. */
  asked({ at, op, operation, path }: HdfsRequest, url: URL): Asked {
    return {
      operation,
      store: 'hdfs',
      path,
      address: `${at}: ${url.origin}`,
      identity: this.signIns.identityOr(this.config.identity),
      isListing: op.startsWith('LIST'),
    };
  }

  /** The error of an answer that is no success; reads its body. */
  async errorOf(answer: HttpAnswer, request: HdfsRequest): Promise<WaybillError> {
    return errorOfAnswer(await failedOf(answer), this.asked(request, answer.url));
  }

  /** Who answers is something else. */
  notWebHdfs(request: HdfsRequest, url: URL): WaybillError {
    return notWebHdfs(this.asked(request, url), this.config.placedBy);
  }
}

/** What is known of an answer that is no success; reads its body. */
export async function failedOf(answer: HttpAnswer): Promise<FailedAnswer> {
  const { status, headers } = answer;
  return { status, headers, body: await answer.readErrorText() };
}
