// The graph around a job: what it waits for on the left, what waits for it on the right, each a link
// with its live state; and the same as a list.
import { arrange, byId, h, icon, setAttr, setText, svg } from "../base/dom.js";

import { byFinger, FINGER_PX, GraphView } from "./graph-view.js";
import { request } from "../base/http.js";

import { layOut } from "./layered.js";

import { Refresh } from "../frame/refresh.js";

import { plural, spaced } from "../base/words.js";


const SIZE = { width: 164, height: 38, gapX: 24, gapY: 12 };
const SIZE_FOR_FINGERS = { ...SIZE, height: FINGER_PX };
const MARGIN = 6;
const LONGEST_NAME = 16, LONGEST_STATE = 20;
const EVERY_MS = 2000; // the stream of a job does not tell of others
const ORDER = ["done", "failed", "cancelled", "in_progress", "pending", "blocked"];

export class Graph {
  /** @param {string} id */
  constructor(id) {
    this.id = Number(id);
    /** @type {Map<number, any>} */
    this.nodes = new Map();
    this.shape = "";
    this.view = new GraphView(byId("graph"));
    this.refresh = new Refresh(async (signal) => this.show(await request(`/jobs/${id}/graph`, { signal })), { every: EVERY_MS, told: () => {} }); // of a deleted job, the last graph stays
    byFinger.addEventListener("change", () => { this.shape = ""; if (this.shown) this.show(this.shown); });
  }

  show(graph) {
    const { nodes, edges, complete } = (this.shown = graph);
    byId("graph-section").hidden = nodes.length < 2;
    if (nodes.length < 2) return;
    const shape = JSON.stringify([nodes.map(({ id }) => id), edges]);
    if (shape !== this.shape) this.draw(nodes, edges);
    this.shape = shape;
    for (const node of nodes) this.nodes.get(node.id)?.paint(node);
    setText(byId("graph-summary"), summary(nodes));
    byId("graph-bound").hidden = complete;
    setText(byId("graph-bound"), `There are more jobs around this one: the nearest ${nodes.length} are shown.`);
  }

  draw(nodes, edges) {
    const ids = nodes.map(({ id }) => id), links = edges.map(({ job, depends_on: before }) => [before, job]);
    const size = byFinger.matches ? SIZE_FOR_FINGERS : SIZE;
    const { positions, lines, width, height } = layOut(ids, links, size);
    this.nodes = new Map(nodes.map((node) => [node.id, makeNode(node, positions.get(node.id), node.id === this.id, size)]));
    const kinds = Map.groupBy(lines, ({ from, to }) => `edges${from === this.id || to === this.id ? " own" : ""}`);
    const full = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
    const inOrder = [...positions].sort(([, a], [, b]) => a.x - b.x || a.y - b.y).map(([id]) => this.nodes.get(id));
    const chosen = /** @type {any} */ (document.activeElement)?.closest?.("#graph a, #graph-list a")?.getAttribute("href");
    const drawing = svg("svg", { viewBox: `${-MARGIN} ${-MARGIN} ${full.width} ${full.height}`, role: "group", "aria-label": "Jobs before and after this one" },
      ...[...kinds].sort().map(([kind, some]) => svg("path", { class: kind, d: some.map(pathOf).join("") })),
      ...inOrder.map(({ node }) => node));
    arrange(byId("graph-list"), inOrder.map(({ item }) => item));
    showBefore(this.nodes, edges);
    const { x, y } = positions.get(this.id);
    this.view.show(drawing, full, { x: x + MARGIN + size.width / 2, y: y + MARGIN + size.height / 2 });
    if (chosen) /** @type {any} */ (this.view.box.querySelector(`a[href="${chosen}"]`))?.focus({ preventScroll: true });
  }
}

/** "40 jobs: 12 done, 3 in progress, 25 blocked" */
function summary(nodes) {
  const parts = ORDER.map((status) => [nodes.filter((node) => node.status === status).length, status]).filter(([n]) => n);
  return `${plural(nodes.length, "job")}: ${parts.map(([n, status]) => `${n} ${spaced(String(status))}`).join(", ")}`;
}

/** @param {any} node @param {any} position @param {boolean} isOwn @param {{width: number, height: number}} size */
function makeNode({ id, type }, { x, y }, isOwn, { width, height }) {
  const middle = height / 2;
  const sign = svg("use", { x: 9, y: middle - 6, width: 12, height: 12 });
  const href = `/ui/jobs/${id}`;
  const short = type.length > LONGEST_NAME ? `${type.slice(0, LONGEST_NAME - 1)}…` : type;
  const state = svg("tspan", {});
  const title = svg("title", {});
  const node = svg("a", { class: "node", href, transform: `translate(${x} ${y})`, "aria-current": isOwn && "page" }, title,
    svg("rect", { width, height, rx: 5 }), sign,
    svg("text", { x: 30, y: middle - 3 }, short), svg("text", { class: "below", x: 30, y: middle + 11 }, `${id} · `, state));
  const word = h("b", {});
  const before = h("span", { class: "before" });
  const item = h("li", {}, icon("pending"), " ", h("a", { href, "aria-current": isOwn && "page" }, `job ${id}`), ` ${type}: `, word, before);
  return { node, item, before, paint };

  function paint({ status, attempt, progress }) {
    setAttr(node, "data-status", status);
    setAttr(item, "data-status", status);
    setAttr(sign, "href", `#s-${status}`);
    setAttr(item.firstElementChild.firstElementChild, "href", `#s-${status}`);
    const also = status === "in_progress" && progress !== null ? ` ${Math.floor(progress * 100)} %` : attempt > 1 ? `, attempt ${attempt}` : "";
    const fits = `${id} · ${status}${also}`.length <= LONGEST_STATE;
    setText(state, spaced(status) + (fits ? also : ""));
    setText(word, spaced(status));
    setText(title, `job ${id}, ${type}: ${spaced(status)}${also}${isOwn ? ", this job" : ""}`);
  }
}

/** Say in the list what each job waits for. */
function showBefore(nodes, edges) {
  for (const [id, { before }] of nodes) {
    const others = edges.filter(({ job }) => job === id).map(({ depends_on: other }) => other);
    setText(before, others.length ? `, after ${others.join(", ")}` : "");
  }
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
