// The growth rate of a total over a sliding window, which changes more smoothly than single seconds.

export class RateMeter {
  /** @param {number} window_s @param {number} [least_s] over a shorter time the rate is not known: totals that change once a second would make it wrong */
  constructor(window_s, least_s = 0) {
    this.windowMs = window_s * 1000;
    this.leastMs = least_s * 1000;
    /** @type {{at: number, total: number}[]} */
    this.samples = [];
  }

  /** Return the rate per second, or null before it is known. If the total falls (a new process, retention), start again. @param {number} total @returns {number | null} */
  push(total, at = performance.now()) {
    const last = this.samples[this.samples.length - 1];
    if (last && total < last.total) this.samples = [];
    this.samples.push({ at, total });
    while (this.samples.length > 2 && this.samples[1].at <= at - this.windowMs) this.samples.shift();
    const first = this.samples[0];
    return at > first.at && at - first.at >= this.leastMs ? ((total - first.total) * 1000) / (at - first.at) : null;
  }
}
