// Keeps the scroll position of a page whose content comes after it: at `#jobs`, after Back and after a reload.
//
// The browser scrolls before the content is there, which then moves everything.
import { byId } from "../base/dom.js";

/** Once the content is there, scroll to the wanted position, unless the reader has moved by then. @param {Promise<any>} content */
export function keepScrollPosition(content) {
  const [{ type }] = /** @type {any[]} */ (performance.getEntriesByType("navigation"));
  const before = type === "navigate" ? undefined : history.state?.y;
  let moved = false;
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(kind, () => { moved = true; }, { passive: true, once: true });
  addEventListener("pagehide", () => history.replaceState({ ...history.state, y: scrollY }, ""));
  content.then(() => {
    if (moved) return;
    if (before !== undefined) scrollTo(0, before);
    else if (location.hash.length > 1) byId(location.hash.slice(1))?.scrollIntoView();
  });
}
