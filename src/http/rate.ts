/** A token bucket: `burst` at once, then `perSecond`. Two numbers of memory, whoever sends. */
export interface TokenBucket {
  /** 0 when a token was there and is taken, else the milliseconds until there is one. */
  take(): number;
}

interface Rate {
  readonly burst: number;
  readonly perSecond: number;
  readonly now?: () => number;
}

/** One bucket for each name. Names come from the configuration, never from a request: there are as many as that has. */
export function createBuckets(rate: Rate): (name: string) => TokenBucket {
  const buckets = new Map<string, TokenBucket>();
  return (name) => {
    const bucket = buckets.get(name) ?? createBucket(rate);
    buckets.set(name, bucket);
    return bucket;
  };
}

export function createBucket(options: Rate): TokenBucket {
  const { burst, perSecond, now = () => performance.now() } = options;
  let tokens = burst;
  let filledAtMs = now();
  return {
    take: () => {
      const nowMs = now();
      tokens = Math.min(burst, tokens + ((nowMs - filledAtMs) * perSecond) / 1_000);
      filledAtMs = nowMs;
      if (tokens < 1) return Math.ceil(((1 - tokens) * 1_000) / perSecond);
      tokens -= 1;
      return 0;
    },
  };
}
