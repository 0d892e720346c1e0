// Small SVG charts. A chart is redrawn by changing one attribute of an existing path.
import { setAttr, svg } from "./dom.js";

const SECONDS = 60; // that are kept and drawn

/** A line chart of the values of the last seconds, which are kept first and drawn later. Where one is not known, the line has a gap. */
export class Sparkline {
  /** @param {string} label @param {number} [top] the scale runs from 0 to at least this value; without it, from the smallest to the largest value, so that slow growth is visible */
  constructor(label, top) {
    this.top = top;
    /** @type {(number | null)[]} */
    this.values = [];
    this.line = svg("path", { fill: "none" });
    this.node = svg("svg", { class: "spark", viewBox: "0 0 60 16", preserveAspectRatio: "none", role: "img", "aria-label": label }, this.line);
  }

  /** @param {number | null} [value] */
  keep(value = null) {
    this.values.push(value);
    if (this.values.length > SECONDS) this.values.shift();
  }

  draw() {
    const known = this.values.filter((value) => value !== null);
    const most = Math.max(this.top ?? 0, ...known);
    const top = this.top ? most : most * 1.05, low = this.top ? 0 : Math.min(...known) * 0.95;
    const step = 60 / (SECONDS - 1);
    const first = SECONDS - this.values.length;
    const at = (i) => `${((first + i) * step).toFixed(1)} ${(15 - ((this.values[i] - low) / (top - low || 1)) * 14).toFixed(1)}`;
    // A second alone between two gaps is a dash.
    setAttr(this.line, "d", runsOf(this.values).map(([from, to]) => (from === to ? `M${at(from)}h.6` : `M${range(from, to).map(at).join("L")}`)).join(""));
  }
}

/** @param {number} from @param {number} to */
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** The first and the last index of each run of known values. @param {(number | null)[]} values */
function runsOf(values) {
  /** @type {[number, number][]} */
  const runs = [];
  values.forEach((value, i) => {
    if (value === null) return;
    const last = runs[runs.length - 1];
    if (last?.[1] === i - 1) last[1] = i; else runs.push([i, i]);
  });
  return runs;
}

/**
 * How much a worker did in each of the last 60 seconds: no bar while idle, a short bar while one job
 * runs, a longer bar for more finished jobs (logarithmic scale), and a gap in the line where it is not known.
 */
export class WorkChart {
  constructor() {
    /** @type {(number | null)[]} */
    this.heights = [];
    this.body = svg("path", {});
    this.rest = svg("path", { class: "rest" });
    this.node = svg("svg", { class: "work-chart", viewBox: "0 0 120 20", preserveAspectRatio: "none", role: "img", "aria-label": "Work in the last 60 seconds" }, this.rest, this.body);
  }

  /** @param {number | null} finished jobs a second @param {boolean} busy */
  keep(finished, busy) {
    this.heights.push(finished === null ? null : finished > 0 ? Math.max(2, Math.min(9.5, 2.5 + 1.9 * Math.log10(finished))) : busy ? 2 : 0);
    if (this.heights.length > SECONDS) this.heights.shift();
  }

  draw() {
    const left = SECONDS - this.heights.length;
    setAttr(this.rest, "d", runsOf(this.heights).map(([from, to]) => `M${(left + from) * 2} 10H${(left + to) * 2 + 2}`).join(""));
    const d = this.heights.map((height, i) => (height ? bar((left + i) * 2, 10 - height, 1.2, height * 2) : "")).join("");
    setAttr(this.body, "d", d);
  }
}

const bar = (x, y, width, height) => `M${x} ${y.toFixed(1)}h${width}v${height.toFixed(1)}h-${width}z`;

const KINDS = ["done", "failed", "cancelled"];

/** Draw one bar per minute: jobs done, failed jobs on top, then those that were cancelled. @param {SVGElement} node @param {Record<string, number>[]} minutes */
export function drawMinutes(node, minutes) {
  const top = Math.max(1, ...minutes.map((minute) => KINDS.reduce((sum, kind) => sum + minute[kind], 0)));
  const width = 240 / minutes.length;
  const paths = KINDS.map(() => "");
  minutes.forEach((minute, i) => {
    let y = 43;
    KINDS.forEach((kind, k) => {
      if (!minute[kind]) return;
      // A bar has a minimum height, so that a single job is visible beside thousands.
      const tall = Math.max(1.5, (minute[kind] / top) * 42);
      y -= tall;
      paths[k] += bar(i * width, Math.max(0, y), width - 1, tall);
    });
  });
  if (!node.firstChild) node.append(svg("path", { class: "rest", d: "M0 43.5H240" }), ...KINDS.map((kind) => svg("path", { class: kind })));
  paths.forEach((d, k) => setAttr(node.children[k + 1], "d", d || "M0 0"));
}
