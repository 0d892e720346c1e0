// A call of the API whose answer is shown, and which is repeated when the answer is old.

const AGAIN_AFTER_FAILURE_MS = 4500;

export class Reading {
  /** @param {() => Promise<void>} read throws if there is no answer */
  constructor(read) {
    this.read = read;
    this.hasFailed = false;
    this.endedAt = -Infinity;
  }

  /** Read now. If it is being read already, read once more afterwards. */
  async now() {
    this.again = this.isReading;
    if (this.isReading) return;
    this.isReading = true;
    this.hasFailed = await this.read().then(() => false, (error) => {
      if (!("status" in error)) reportError(error); // an error of the page itself; else the banner shows that nothing answers
      return true;
    });
    this.isReading = false;
    this.endedAt = performance.now();
    if (this.again) await this.now();
  }

  /** Note that what was read, or is being read, may no longer be true. */
  outdate() {
    this.endedAt = -Infinity;
    this.again = this.isReading;
  }

  /** Read if the last read is longer ago and none is under way. A failed read is repeated soon. @param {number} ms */
  ifOlder(ms) {
    const wait = this.hasFailed ? Math.min(ms, AGAIN_AFTER_FAILURE_MS) : ms;
    if (!this.isReading && performance.now() - this.endedAt > wait) this.now();
  }
}
