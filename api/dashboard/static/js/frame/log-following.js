// Keeps the end of a log in sight, until the reader scrolls up; again when the reader is at the end.
import { byId } from "../base/dom.js";

const READER_MS = 1000; // a wheel scrolls on for a while

export class Following {
  /** @param {any} node the box that scrolls @param {() => void} drawLast draws the last lines now */
  constructor(node, drawLast) {
    this.node = node;
    this.drawLast = drawLast;
    this.touched = -Infinity;
    this.box = byId("log-follow");
    this.box.addEventListener("change", () => this.toEnd());
    // A scroll may come from the reader or from the page itself: only the reader's changes what is followed.
    for (const kind of ["wheel", "touchmove", "keydown"]) node.addEventListener(kind, () => { this.touched = performance.now(); }, { passive: true });
    node.addEventListener("pointerdown", () => { this.touched = Infinity; });
    const released = () => { if (this.touched === Infinity) this.touched = performance.now(); };
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, released); // a finger that scrolls ends with "cancel"
    node.addEventListener("scroll", () => { if (performance.now() - this.touched < READER_MS) this.update(); }, { passive: true });
  }

  /** Go to the end, once for all lines that come before the page is drawn. */
  toEnd() {
    if (!this.box.checked) return;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.drawLast();
      this.scrollToEnd();
    });
  }

  scrollToEnd() { if (this.box.checked) this.node.scrollTop = this.node.scrollHeight; }

  /** Stop following when the reader scrolls up, and follow again at the end. */
  update() {
    const { scrollTop, scrollHeight, clientHeight } = this.node;
    this.box.checked = scrollTop + clientHeight >= scrollHeight - 4;
  }
}
