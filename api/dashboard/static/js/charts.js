// Fine charts: paths and bars of an SVG that is there already, redrawn by changing one attribute.
import { set, svg } from "./dom.js";

/** A line of the newest `points` values on a fixed box. */
export class Sparkline {
  /** @param {string} label @param {number} points @param {number} [top] the scale is 0 to at least this; without: around the values, so that a slow growth is seen */
  constructor(label, points, top) {
    this.points = points;
    this.top = top;
    /** @type {number[]} */
    this.values = [];
    this.line = svg("path", { fill: "none" });
    this.node = svg("svg", { class: "spark", viewBox: "0 0 60 16", preserveAspectRatio: "none", role: "img", "aria-label": label }, this.line);
  }

  /** @param {number | null} value */
  push(value) {
    if (value === null || value === undefined) return;
    this.values.push(value);
    if (this.values.length > this.points) this.values.shift();
    const most = Math.max(this.top ?? 0, ...this.values);
    const top = this.top ? most : most * 1.05, low = this.top ? 0 : Math.min(...this.values) * 0.95;
    const step = 60 / (this.points - 1);
    const first = this.points - this.values.length;
    const at = (v, i) => `${((first + i) * step).toFixed(1)} ${(15 - ((v - low) / (top - low || 1)) * 14).toFixed(1)}`;
    set(this.line, "d", `M${this.values.map(at).join("L")}`);
  }
}

/**
 * A string of the lyre: how hard a worker worked in each of the last 60 seconds. Still is a
 * straight line, one job in hand a low tone, many finished jobs a wide one (logarithmic).
 */
export class StringChart {
  constructor() {
    /** @type {number[]} */
    this.swings = [];
    this.body = svg("path", {});
    this.node = svg("svg", { class: "string", viewBox: "0 0 120 20", preserveAspectRatio: "none", role: "img", "aria-label": "Work in the last 60 seconds" },
      svg("path", { class: "rest", d: "M0 10H120" }), this.body);
  }

  /** @param {number} finished jobs a second @param {boolean} busy */
  push(finished, busy) {
    this.swings.push(finished > 0 ? Math.max(2, Math.min(9.5, 2.5 + 1.9 * Math.log10(finished))) : busy ? 2 : 0);
    if (this.swings.length > 60) this.swings.shift();
    const left = 60 - this.swings.length;
    const d = this.swings.map((swing, i) => (swing ? bar((left + i) * 2, 10 - swing, 1.2, swing * 2) : "")).join("");
    set(this.body, "d", d || "M0 10");
  }
}

const bar = (x, y, width, height) => `M${x} ${y.toFixed(1)}h${width}v${height.toFixed(1)}h-${width}z`;

/** Bars of what ended in each minute; failures on top. @param {SVGElement} node @param {{done: number, failed: number}[]} minutes */
export function drawMinutes(node, minutes) {
  const top = Math.max(1, ...minutes.map(({ done, failed }) => done + failed));
  const width = 240 / minutes.length;
  let done = "", failed = "";
  minutes.forEach((minute, i) => {
    // What happened is seen, however small beside the rest.
    const tall = (n) => (n ? Math.max(1.5, (n / top) * 42) : 0);
    const good = tall(minute.done), bad = tall(minute.failed);
    if (good) done += bar(i * width, 43 - good, width - 1, good);
    if (bad) failed += bar(i * width, Math.max(0, 43 - good - bad), width - 1, bad);
  });
  if (!node.firstChild) node.append(svg("path", { class: "rest", d: "M0 43.5H240" }), svg("path", { class: "good" }), svg("path", { class: "bad" }));
  set(node.children[1], "d", done || "M0 0");
  set(node.children[2], "d", failed || "M0 0");
}
