export type RequestReason = 'routine' | 'compromise';
export type RequestSource = 'schedule' | 'webhook' | 'operator' | 'workflow' | 'expiry';

/** Signal `requestRotation` and update `rotateNow`. */
export interface RotationRequest {
  /** Idempotency key: one id, one rotation. Ids starting with `mambu/` are remembered for 6 h, all others for 30 days. */
  readonly requestId: string;
  readonly reason: RequestReason;
  readonly source: RequestSource;
  /** For `compromise`: the version that leaked. Default: every version alive when the request was accepted. */
  readonly leakedVersion?: number;
  /** Workflow that receives the signal `rotationFinished`. */
  readonly replyTo?: { readonly workflowId: string };
}

/** Signal `acknowledgeVersion`: the consumer uses this version (and so none that is older). */
export interface Acknowledgement {
  readonly consumer: string;
  readonly version: number;
}

export type Outcome =
  'rotated' | 'rotated-with-debt' | 'rolled-back' | 'skipped' | 'failed' | 'needs-operator' | 'pending';

export type SkipReason =
  'duplicate' | 'paused' | 'min-interval' | 'superseded' | 'not-in-config' | 'only-old-versions-leaked';
