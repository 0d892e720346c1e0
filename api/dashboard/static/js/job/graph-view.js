// The window through which a drawing is seen. A drawing that is a little too wide is made smaller, as far
// as it stays readable, but not where fingers press what is in it. A wider one is scrolled: it begins at
// one place, and fades out where there is more.
import { setAttr } from "../base/dom.js";

/** Matches on a phone, and wherever there is nothing finer than a finger. */
export const byFinger = matchMedia("(max-width: 760px), (pointer: coarse)");
export const FINGER_PX = 44;

const SMALLEST = 0.72, SCROLLED = 0.95;
const MARGIN = 8;

export class GraphView {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    /** The middle of the part that the view keeps in its place. @type {{x: number, y: number} | null} */
    this.kept = null;
    box.addEventListener("scroll", () => this.fade(), { passive: true });
    new ResizeObserver(() => { if (box.clientWidth !== this.width) this.fit(); else this.fade(); }).observe(box);
  }

  /** Fit the drawing that is in the box. @param {{width: number, height: number}} size @param {{x: number, y: number}} middle of the job itself */
  show(size, middle) {
    Object.assign(this, { drawing: this.box.querySelector("svg"), size, middle });
    this.fit();
  }

  fit() {
    if (!this.drawing || !this.box.clientWidth) return;
    const { box, box: { scrollLeft, scrollTop }, size: { width, height }, middle: { x, y } } = this;
    this.width = box.clientWidth;
    const fitting = Math.min(1, (box.clientWidth - 2 * MARGIN) / width);
    const scale = byFinger.matches ? 1 : fitting < SMALLEST ? SCROLLED : fitting;
    setAttr(this.drawing, "width", width * scale);
    setAttr(this.drawing, "height", height * scale);
    const now = { x: MARGIN + x * scale, y: MARGIN + y * scale }, { kept } = this;
    box.scrollLeft = kept ? scrollLeft + now.x - kept.x : now.x - box.clientWidth / 2;
    box.scrollTop = kept ? scrollTop + now.y - kept.y : now.y - box.clientHeight / 2;
    this.kept = now;
    this.fade();
  }

  /** Say where there is more than is seen. */
  fade() {
    const { scrollLeft, scrollTop, clientWidth, clientHeight, scrollWidth, scrollHeight } = this.box;
    const sides = { left: scrollLeft > 1, right: scrollLeft + clientWidth < scrollWidth - 1, top: scrollTop > 1, bottom: scrollTop + clientHeight < scrollHeight - 1 };
    setAttr(this.box, "data-more", Object.entries(sides).filter(([, isMore]) => isMore).map(([side]) => side).join(" ") || null);
  }
}
