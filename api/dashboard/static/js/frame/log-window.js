// A long log in a box that scrolls: only what is seen, and a little around it, is in the page.
//
// The lines are cut into chunks. A chunk far from what is seen is an empty element with the height that it
// had, or is expected to have. If a chunk above turns out to be higher, the browser keeps what is read in
// its place. So 10,000 lines cost as much as the few hundred that are drawn.
import { h } from "../base/dom.js";

const CHUNK = 100;
const AROUND_PX = 800;
const LINE_PX = 19;

/** @template T */
export class LogWindow {
  /** @param {any} node the box @param {(line: T) => Node} draw @param {() => void} drawn called when what is drawn has changed */
  constructor(node, draw, drawn) {
    this.node = node;
    this.draw = draw;
    this.drawn = drawn;
    /** @type {{node: any, lines: T[], isDrawn: boolean}[]} */
    this.chunks = [];
    this.chunkOf = new Map();
    /** How many lines there are. */
    this.count = 0;
    this.watch = new IntersectionObserver((seen) => this.turn(seen), { root: node, rootMargin: `${AROUND_PX}px 0px` });
  }

  /** Show these lines instead. @param {T[]} lines */
  replace(lines) {
    for (const { node } of this.chunks) this.watch.unobserve(node);
    this.chunks = [];
    this.count = 0;
    this.chunkOf.clear();
    this.node.replaceChildren();
    this.append(lines);
  }

  /** @param {T[]} lines */
  append(lines) {
    for (let from = 0; from < lines.length;) {
      const last = this.chunks[this.chunks.length - 1];
      const chunk = last && last.lines.length < CHUNK ? last : this.addChunk();
      const part = lines.slice(from, from + CHUNK - chunk.lines.length);
      chunk.lines.push(...part);
      if (chunk.isDrawn) chunk.node.append(...part.map(this.draw));
      else this.reserve(chunk);
      from += part.length;
    }
    this.count += lines.length;
    if (lines.length) this.drawn();
  }

  /** Forget whole chunks at the beginning, as long as `most` lines or more are left. @param {number} most */
  forget(most) {
    while (this.chunks.length > 1 && this.count - this.chunks[0].lines.length >= most) {
      const [{ node, lines }] = this.chunks.splice(0, 1);
      this.watch.unobserve(node);
      this.chunkOf.delete(node);
      node.remove();
      this.count -= lines.length;
    }
  }

  /** Draw the last chunk now, before the browser finds that it is seen. */
  drawLast() {
    const chunk = this.chunks[this.chunks.length - 1];
    if (chunk && !chunk.isDrawn) this.fill(chunk);
  }

  addChunk() {
    const chunk = { node: h("div", { class: "chunk" }), lines: [], isDrawn: false };
    this.chunks.push(chunk);
    this.chunkOf.set(chunk.node, chunk);
    this.node.append(chunk.node);
    this.watch.observe(chunk.node);
    return chunk;
  }

  reserve({ node, lines }) { node.style.height = `${lines.length * LINE_PX}px`; }

  turn(seen) {
    let changed = false;
    for (const { target, isIntersecting, boundingClientRect } of seen) {
      const chunk = this.chunkOf.get(target);
      if (!chunk || chunk.isDrawn === isIntersecting) continue;
      if (isIntersecting) { this.fill(chunk); changed = true; }
      else if (!document.getSelection()?.containsNode(target, true)) this.empty(chunk, boundingClientRect.height);
    }
    if (changed) this.drawn();
  }

  fill(chunk) {
    chunk.isDrawn = true;
    chunk.node.style.height = "";
    chunk.node.replaceChildren(...chunk.lines.map(this.draw));
  }

  empty(chunk, height) {
    chunk.isDrawn = false;
    chunk.node.style.height = `${height}px`;
    chunk.node.replaceChildren();
  }
}
