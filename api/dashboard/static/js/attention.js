// Whether somebody looks at the rows of a table more closely, or has gone far down: then none may be inserted.
import { byId, selectedIn } from "./dom.js";

export class Attention {
  /** @param {HTMLElement} body the rows @param {() => void} left called when somebody may look no more */
  constructor(body, left) {
    this.body = body;
    const table = body.closest("table");
    table.addEventListener("pointerenter", (event) => { this.pointed = event.pointerType === "mouse"; });
    table.addEventListener("pointerleave", () => { this.pointed = false; left(); });
    table.addEventListener("focusout", left);
    document.addEventListener("visibilitychange", left);
    // To ask where something is lays the page out; this is told after the page was.
    new IntersectionObserver((entries) => { this.isFarDown = !entries[entries.length - 1].isIntersecting; }, { rootMargin: "0px 0px 999999px" }).observe(byId("total"));
  }

  get isOn() { return this.pointed || this.isFarDown || selectedIn(this.body) || this.body.contains(document.activeElement); }
}
