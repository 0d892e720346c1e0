// A save whose answer was lost: it may have been done all the same. Then the file holds the text that was sent.
import { request } from "../base/http.js";

export class LostSave {
  /** @param {() => Promise<void>} found what to do once the file turns out to hold that text */
  constructor(found) {
    this.found = found;
    /** @type {string | null} */
    this.text = null;
  }

  /** Remember the text if the error leaves open whether it was saved; return whether it does. @param {string} text @param {{status: number}} error */
  note(text, { status }) {
    const isLost = status === 0 || status >= 500;
    this.text = isLost ? text : null;
    return isLost;
  }

  /** Return whether the text was saved after a lost answer, as far as can be told now. */
  async look() {
    if (this.text === null) return false;
    let answer;
    try { answer = await request("/config"); } catch { return false; }
    if (this.text === null || answer.text !== this.text) return false;
    this.text = null;
    await this.found();
    return true;
  }
}
