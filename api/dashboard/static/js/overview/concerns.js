// What needs a person: the first few, and all of them when asked for.
import { arrange, byId, h, hide, icon, setAttr, setText } from "../base/dom.js";
import { addressOf } from "../base/verdict.js";

const FEW = 6;
/** How many stand beside the verdict in a wide window. If there are more, all stand below it, each in a line. */
const BESIDE = 3;

export class Concerns {
  constructor() {
    this.list = byId("concerns");
    this.more = byId("more-concerns");
    this.isOpen = false;
    /** @type {any[]} */
    this.all = [];
    this.more.addEventListener("click", () => { this.isOpen = !this.isOpen; this.show(this.all); });
  }

  /** @param {any[]} all as GET /stats gives them */
  show(all) {
    this.all = all;
    const rest = all.length - FEW, isLong = rest > 1; // "1 more" would take a whole line itself
    arrange(this.list, (isLong && !this.isOpen ? all.slice(0, FEW) : all).map((concern, i) => this.line(concern, i)));
    this.list.closest("section").classList.toggle("many", all.length > BESIDE);
    hide(this.more, !isLong, byId("verdict"));
    setAttr(this.more, "aria-expanded", String(this.isOpen));
    setText(this.more, this.isOpen ? "show fewer" : `${rest} more`);
  }

  line(concern, i) {
    const line = this.list.children[i] ?? h("li", {}, icon("fatal"), h("span", {}, h("a", {}), h("code", {})));
    const [link, command] = line.lastElementChild.children;
    setAttr(link, "href", addressOf(concern));
    setText(link, concern.text);
    setText(command, concern.command ?? "");
    return line;
  }
}
