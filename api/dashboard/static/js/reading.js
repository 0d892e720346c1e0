// A call of the API whose answer is shown, and which is made again when that is old.

export class Reading {
  /** @param {() => Promise<void>} read */
  constructor(read) {
    this.read = read;
    this.endedAt = -Infinity;
  }

  /** Read now. If it is being read already, read once more afterwards. */
  async now() {
    this.again = this.isReading;
    if (this.isReading) return;
    this.isReading = true;
    await this.read();
    this.isReading = false;
    this.endedAt = performance.now();
    if (this.again) await this.now();
  }

  /** What was read, or is being read, may no longer be true. */
  outdate() {
    this.endedAt = -Infinity;
    this.again = this.isReading;
  }

  /** Read if that was done longer ago, and is not being done. @param {number} ms */
  ifOlder(ms) { if (!this.isReading && performance.now() - this.endedAt > ms) this.now(); }
}
