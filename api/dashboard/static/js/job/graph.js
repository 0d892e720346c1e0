// The graph around a job: what it waits for on the left, what waits for it on the right, each a link
// with its live state; and the same as a list.
import { base } from "../base/base.js";
import { byId, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { draw, html, icon, nothing, svg } from "../base/lit.js";
import { count, plural, spaced } from "../base/words.js";
import { Refresh } from "../frame/refresh.js";
import { byFinger, FINGER_PX, GraphView } from "./graph-view.js";
import { layOut } from "./layered.js";

const SIZE = { width: 164, height: 38, gapX: 24, gapY: 12 };
const MARGIN = 6;
const LONGEST_NAME = 16, LONGEST_STATE = 20;
const EVERY_MS = 2000; // the stream of a job does not tell of others
const ORDER = ["done", "failed", "cancelled", "in_progress", "pending", "blocked"];

export class Graph {
  /** @param {string} id */
  constructor(id) {
    this.id = Number(id);
    this.shape = "";
    this.view = new GraphView(byId("graph"));
    this.refresh = new Refresh((signal) => this.read(signal), { every: EVERY_MS, told: () => {} }); // of a deleted job, the last graph stays
    byFinger.addEventListener("change", () => { if (this.shown) this.show(this.shown); });
  }

  /** @param {AbortSignal} signal */
  async read(signal) { this.show(await request(`/jobs/${this.id}/graph`, { signal })); }

  show(graph) {
    const { nodes, edges, complete } = (this.shown = graph), size = byFinger.matches ? { ...SIZE, height: FINGER_PX } : SIZE;
    byId("graph-section").hidden = nodes.length < 2;
    if (nodes.length < 2) return;
    const shape = JSON.stringify([nodes.map(({ id }) => id), edges, size.height]), isNew = shape !== this.shape;
    if (isNew) this.layout = layOut(nodes.map(({ id }) => id), edges.map(({ job, depends_on: before }) => [before, job]), size);
    this.shape = shape;
    const { positions, lines, width, height } = this.layout, full = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
    const byPlace = [...nodes].sort((a, b) => { const p = positions.get(a.id), q = positions.get(b.id); return p.x - q.x || p.y - q.y; });
    const chosen = /** @type {any} */ (document.activeElement)?.closest?.("#graph a, #graph-list a")?.getAttribute("href");
    const isOwn = ({ from, to }) => from === this.id || to === this.id;
    const path = (kind, some) => svg`<path class=${kind} d=${some.map(pathOf).join("")}></path>`;
    draw(html`<svg viewBox="${-MARGIN} ${-MARGIN} ${full.width} ${full.height}" role="group" aria-label="Jobs before and after this one">${
      path("edges", lines.filter((line) => !isOwn(line)))}${path("edges own", lines.filter(isOwn))}${byPlace.map((node) => nodeOf(node, positions.get(node.id), node.id === this.id, size))}</svg>`, this.view.box);
    draw(byPlace.map(({ id, type, status }) => {
      const before = edges.filter(({ job }) => job === id).map(({ depends_on: other }) => other);
      return html`<li data-status=${status}>${icon(status)} <a href="${base}/ui/jobs/${id}" aria-current=${id === this.id ? "page" : nothing}>job ${id}</a> ${type}: <b>${spaced(status)}</b>${before.length ? html`<span class="before">, after ${before.join(", ")}</span>` : nothing}</li>`;
    }), byId("graph-list"));
    const { x, y } = positions.get(this.id);
    if (isNew) this.view.show(full, { x: x + MARGIN + size.width / 2, y: y + MARGIN + size.height / 2 });
    if (isNew && chosen) /** @type {any} */ (this.view.box.querySelector(`a[href="${chosen}"]`))?.focus({ preventScroll: true });
    setText(byId("graph-summary"), summary(nodes));
    byId("graph-bound").hidden = complete;
    setText(byId("graph-bound"), `The nearest ${count(nodes.length)} jobs; there are more.`);
  }
}

/** "40 jobs: 12 done, 3 in progress, 25 blocked" */
function summary(nodes) {
  const parts = ORDER.map((status) => [nodes.filter((node) => node.status === status).length, status]).filter(([n]) => n);
  return `${plural(nodes.length, "job")}: ${parts.map(([n, status]) => `${n} ${spaced(String(status))}`).join(", ")}`;
}

/** @param {any} node @param {any} position @param {boolean} isOwn @param {{width: number, height: number}} size */
function nodeOf({ id, type, status, attempt, progress }, { x, y }, isOwn, { width, height }) {
  const middle = height / 2, short = type.length > LONGEST_NAME ? `${type.slice(0, LONGEST_NAME - 1)}…` : type;
  const also = status === "in_progress" && progress !== null ? ` ${Math.floor(progress * 100)} %` : attempt > 1 ? `, attempt ${attempt}` : "";
  const fits = `${id} · ${status}${also}`.length <= LONGEST_STATE;
  return svg`<a class="node" href=${`${base}/ui/jobs/${id}`} data-status=${status} transform="translate(${x} ${y})" aria-current=${isOwn ? "page" : nothing}><title>job ${id}, ${type}: ${spaced(status)}${also}${isOwn ? ", this job" : ""}</title>
    <rect width=${width} height=${height} rx="5"></rect><use href=${`#s-${status}`} x="9" y=${middle - 6} width="12" height="12"></use>
    <text x="30" y=${middle - 3}>${short}</text><text class="below" x="30" y=${middle + 11}>${id} · ${spaced(status)}${fits ? also : ""}</text></a>`;
}

function pathOf({ points }) {
  let path = `M${points[0].x} ${points[0].y}`;
  for (let i = 1; i < points.length; i++) {
    const a = points[i - 1], b = points[i], middle = (a.x + b.x) / 2;
    path += a.y === b.y ? `H${b.x}` : `C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`;
  }
  const { x, y } = points[points.length - 1];
  return `${path}M${x - 5} ${y - 3.5}L${x} ${y}L${x - 5} ${y + 3.5}`;
}
