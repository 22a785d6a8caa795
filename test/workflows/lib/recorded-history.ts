/** A history in test/histories/: Temporal's own bytes, with the names of its events for people who compare two. */
export interface RecordedHistory {
  readonly workflowId: string;
  readonly types: readonly string[];
  /** `temporal.api.history.v1.History`, base64. */
  readonly proto: string;
}

/** Signs the histories whose names say so: no secret of anybody's. */
export const RECORDED_KEY = Buffer.alloc(32, 'recorded');
