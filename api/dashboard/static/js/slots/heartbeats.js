// Which heartbeats of the stream are drawn.
//
// Drawing is what costs a page at rest: a layout, a paint, and a picture that goes through three processes. So a
// heartbeat is drawn at once only while something happens. At rest only measures and ages differ, and every fifth is
// drawn. Each is kept, so that no chart misses a second. A page in the background is treated as one at rest: its title
// and icon tell of problems.

const AT_REST_MS = 4500; // heartbeats come each second
const FRESH_S = 3;

export class Heartbeats {
  /**
   * @param {(message: any) => boolean} keep called with each; returns whether rates still change
   * @param {(message: any, isAtRest: boolean) => void} draw called with those to draw
   */
  constructor(keep, draw) {
    this.keep = keep;
    this.draw = draw;
    this.isAtRest = false;
    this.drawnAt = -Infinity;
    document.addEventListener("visibilitychange", () => document.hidden || !this.newest || this.show());
  }

  /** @param {{counts: Record<string, number>, workers: any[]}} message a hello or a heartbeat */
  take(message) {
    const news = newsOf(message), moves = this.keep(message);
    this.isAtRest = document.hidden || (news === this.news && !moves && !message.counts.in_progress);
    this.news = news;
    this.newest = message;
    if (!this.isAtRest || performance.now() - this.drawnAt > AT_REST_MS) this.show();
  }

  /** Draw the next heartbeat: something has happened of which heartbeats do not tell. */
  stir() { this.news = ""; }

  show() {
    this.drawnAt = performance.now();
    this.draw(this.newest, this.isAtRest);
  }
}

/** All values except measures and ages, as text to compare. The age of a heartbeat counts if it is late. */
function newsOf({ counts, workers }) {
  return JSON.stringify([counts, workers.map(({ cpu_percent, rss_bytes, uptime_s, heartbeat_age_s: age, ...rest }) => [age < FRESH_S || Math.round(age), rest])]);
}

/** The age of a heartbeat: seconds are shown only if it is late. @param {number | null} age */
export const ageOfBeat = (age) => (age === null ? "–" : age < FRESH_S ? `< ${FRESH_S} s` : `${Math.round(age)} s`);
