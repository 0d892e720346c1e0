// Whether somebody is looking at rows of a table, or is far down in it: then none may be inserted, and none moves.
import { selectedIn } from "../base/dom.js";

export class Attention {
  /**
   * @param {HTMLElement} body the rows @param {() => void} [left] called when somebody may have stopped looking
   * @param {HTMLElement} [top] who has scrolled far below it is far down
   */
  constructor(body, left = () => {}, top) {
    this.body = body;
    const table = body.closest("table");
    table.addEventListener("pointerenter", (event) => { this.pointed = event.pointerType === "mouse"; });
    table.addEventListener("pointerleave", () => { this.pointed = false; left(); });
    table.addEventListener("focusout", () => setTimeout(left)); // when the focus is where it goes
    document.addEventListener("visibilitychange", left);
    // Asking for a position would force a layout; the observer is told after the page was laid out.
    if (top) new IntersectionObserver((entries) => { this.isFarDown = !entries[entries.length - 1].isIntersecting; }, { rootMargin: "0px 0px 999999px" }).observe(top);
  }

  get isOn() { return this.pointed || this.isFarDown || selectedIn(this.body) || this.body.contains(document.activeElement); }
}
