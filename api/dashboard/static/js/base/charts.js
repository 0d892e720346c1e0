// Lines of figures over time, as templates.
import { svg, html } from "./lit.js";

/** @typedef {(number | null)[]} Values oldest first; where one is not known, the line has a gap */

/**
 * A line of values. `least`: the top is at least that; `fromZero` false: from the smallest value, so that slow growth is seen.
 * @param {string} label @param {Values} values @param {{least?: number, fromZero?: boolean, kind?: string}} [how]
 */
export function line(label, values, { least = 0, fromZero = true, kind = "" } = {}) {
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  const top = Math.max(least, ...known), low = fromZero ? 0 : Math.min(...known) * 0.95;
  const step = 240 / Math.max(1, values.length - 1);
  let d = "", area = "", first = 0, isOpen = false;
  const close = (/** @type {number} */ end) => { area += `L${(end * step).toFixed(1)} 40L${(first * step).toFixed(1)} 40Z`; isOpen = false; };
  values.forEach((value, i) => {
    if (value === null) { if (isOpen) close(i - 1); return; }
    const at = `${(i * step).toFixed(1)} ${(39 - ((value - low) / (top - low || 1)) * 37).toFixed(1)}`;
    if (!isOpen) first = i;
    d += `${isOpen ? "L" : "M"}${at}`;
    area += `${isOpen ? "L" : "M"}${at}`;
    isOpen = true;
  });
  if (isOpen) close(values.length - 1);
  return html`<svg class="line ${kind}" viewBox="0 0 240 40" preserveAspectRatio="none" role="img" aria-label=${label}>${svg`<path class="area" d=${area || "M0 0"} /><path class="edge" d=${d || "M0 0"} />`}</svg>`;
}
