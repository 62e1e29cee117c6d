/**
 * The result of `work`, or the error of `onLate` when it takes longer. The work itself goes on: whoever gives up must be
 * able to bear its late success.
 */
export async function within<T>(work: Promise<T>, limitMs: number, onLate: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onLate()), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
