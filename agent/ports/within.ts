/** Waiting with an end: whatever a promise does, its caller goes on after the given time. */

/** What the promise gives, or what `late` gives once `ms` have passed. Leaves no timer behind. */
export async function within<T>(promise: Promise<T>, ms: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late()), ms);
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
  }
}
