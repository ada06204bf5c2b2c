/** Waiting for what may never come. Pure. */

/** What `work` comes to; fails if that takes longer than so many milliseconds, or once aborted. */
export async function within<T>(
  milliseconds: number,
  work: Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let giveUp: () => void = () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`There was no answer for ${milliseconds / 1000} s.`);
    timer = setTimeout(() => reject(error), milliseconds);
    giveUp = () => reject(new Error("It is not waited for any more."));
    signal?.addEventListener("abort", giveUp);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}
