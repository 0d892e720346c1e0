// One chart of the history: bars or lines over a span of time, with marks of what happened and the figures at the pointer.
import { html, nothing, svg } from "../base/lit.js";
import { timeOf } from "../base/time.js";

const WIDTH = 1000, HEIGHT = 100, MINUTE_MS = 60_000;

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} kind the class of its colour
 * @property {(number | null)[]} values one for each point; null: not known
 *
 * @typedef {object} Span
 * @property {number} since ms
 * @property {number} until ms
 * @property {number} step ms
 * @property {number[]} times when each point began, ms
 * @property {{at: number, text: string}[]} marks
 */

/**
 * @param {string} title @param {Series[]} series @param {Span} span
 * @param {{stacked?: boolean, format: (value: number) => string, hovered: number | null, hover: (at: number | null) => void, pick: (at: number) => void}} how
 *   `stacked`: as bars, else as lines; `hovered`: the time at the pointer, in any chart
 */
export function pastChart(title, series, span, { stacked = false, format, hovered, hover, pick }) {
  const { since, until, step, times, marks } = span;
  const totals = times.map((_, i) => (stacked ? series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0) : Math.max(0, ...series.map(({ values }) => values[i] ?? 0))));
  const top = Math.max(...totals, 0);
  const x = (/** @type {number} */ at) => ((at - since) / (until - since)) * WIDTH, y = (/** @type {number} */ value) => HEIGHT - (value / (top || 1)) * (HEIGHT - 4);
  const index = hovered === null ? -1 : times.findLastIndex((at) => at <= hovered && hovered < at + step);
  const timeAt = (/** @type {PointerEvent} */ event) => {
    const { left, width } = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    return since + Math.min(1, Math.max(0, (event.clientX - left) / width)) * (until - since);
  };
  const figures = series.map(({ name, kind, values }) => {
    const shown = index >= 0 ? values[index] : stacked ? values.reduce((/** @type {number} */ sum, value) => sum + (value ?? 0), 0) : null;
    return html`<span class=${kind}>${name}${shown === null ? nothing : html` <b>${format(shown)}</b>`}</span>`;
  });
  return html`<figure class="past">
    <figcaption><h2>${title}</h2>${figures}<span class="top-value">${top ? `max ${format(top)}` : "nothing"}</span></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}, at most ${top ? format(top) : "nothing"}"
      @pointermove=${(/** @type {PointerEvent} */ event) => hover(timeAt(event))} @pointerleave=${() => hover(null)} @click=${(/** @type {PointerEvent} */ event) => pick(timeAt(event))}>
      ${svg`<path class="ground" d="M0 ${HEIGHT}H${WIDTH}" />`}
      ${marks.map(({ at, text }) => svg`<path class="event" d="M${x(at).toFixed(1)} 0V${HEIGHT}"><title>${text}</title></path>`)}
      ${stacked ? bars(series, span, x, y) : series.map(({ kind, values }) => svg`<path class="edge ${kind}" d=${edge(values, span, x, y)} />`)}
      ${hovered === null ? nothing : svg`<path class="pointer" d="M${x(hovered).toFixed(1)} 0V${HEIGHT}" />`}
    </svg>
    <div class="axis" aria-hidden="true">${[since, (since + until) / 2, until].map((at) => timeOf(new Date(Math.round(at / MINUTE_MS) * MINUTE_MS).toISOString(), "short"))}</div>
  </figure>`;
}

/** @param {Series[]} series @param {Span} span @param {(at: number) => number} x @param {(value: number) => number} y */
function bars(series, { times, step }, x, y) {
  const below = times.map(() => 0), width = Math.max(1, x(times[0] + step) - x(times[0]) - 1 || 1);
  return series.map(({ kind, values }) => {
    const d = values.map((value, i) => {
      if (!value) return "";
      const bottom = y(below[i]);
      below[i] += value;
      return `M${x(times[i]).toFixed(1)} ${bottom.toFixed(1)}V${y(below[i]).toFixed(1)}h${width.toFixed(1)}V${bottom.toFixed(1)}Z`;
    }).join("");
    return svg`<path class="bars ${kind}" d=${d || "M0 0"} />`;
  });
}

/** A step for each point, and a gap where nothing is known. @param {(number | null)[]} values @param {Span} span @param {(at: number) => number} x @param {(value: number) => number} y */
function edge(values, { times, step }, x, y) {
  let d = "";
  values.forEach((value, i) => {
    if (value === null) return;
    const isNext = i > 0 && values[i - 1] !== null && times[i] - times[i - 1] <= step;
    d += `${isNext ? "L" : "M"}${x(times[i]).toFixed(1)} ${y(value).toFixed(1)}H${x(times[i] + step).toFixed(1)}`;
  });
  return d || "M0 0";
}
