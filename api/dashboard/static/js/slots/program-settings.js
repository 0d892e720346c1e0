// What is run in the slots of a program, as the configuration in force says: its command, and folded the
// rest. Each host has a configuration of its own, and only that of the API's host is known.
import { arrange, byId, h, hide, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { plural } from "../base/words.js";

const ENDS = { always: "whenever it has ended", "on-failure": "unless it ended with exit code 0", never: "never by itself" };

export class ProgramSettings {
  /** @param {any} node a `<details>` @param {string} name of the program */
  constructor(node, name) {
    this.node = node;
    this.name = name;
    this.command = h("code", {}, "…");
    this.list = h("dl", { class: "details" });
    const what = h("span", {}, "runs");
    node.replaceChildren(h("summary", {}, what, this.command), this.list, h("p", { class: "hint" }, "From the ", h("a", { href: "/ui/configuration" }, "configuration"), " in force."));
    node.addEventListener("toggle", () => {
      setText(what, node.open ? "what it runs" : "runs");
      if (node.open) this.read();
    });
    /** A line is kept for it until it is known that there is nothing to tell. */
    this.isKnown = true;
    this.read();
  }

  /** @param {boolean} several whether there are other hosts */
  show(several) { hide(this.node, several || !this.isKnown, byId("log")); }

  async read() {
    let program;
    try {
      const { settings } = await request("/config");
      program = settings.find(({ key }) => key === "programs")?.as_written.find(({ name }) => name === this.name);
    } catch { return; } // the banner says that nothing answers
    this.isKnown = !!program;
    if (!program) return hide(this.node, true, byId("log"));
    setText(this.command, program.argv.map(quoted).join(" "));
    arrange(this.list, factsOf(program).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }
}

/** A word of a command as a shell would need it. @param {string} word */
const quoted = (word) => (/^[\w@%+=:,.\/{}-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** @returns {[string, string | Node][]} */
function factsOf(program) {
  const { argv, instances, cwd, env, env_file: file, restart, after, stop_signal: signal, stop_timeout: timeout } = program;
  const variables = [...Object.keys(env), ...file ? [`those of ${file}`] : []].join(", ");
  return [
    ["command", h("code", {}, argv.map(quoted).join(" "))],
    ["folder", cwd || "that of Orpheus"],
    ["instances", `${instances} in the configuration`],
    ["environment", variables || "that of Orpheus"],
    ["started again", ENDS[restart]],
    ["ready", readyText(program.ready)],
    ["alive", aliveText(program.alive)],
    ["started after", after.join(", ") || "no other program"],
    ["stopped by", `SIG${signal}, and killed after ${timeout ?? "supervisor.stop_timeout"}`],
    ["memory", program.max_memory_mb ? `at most ${program.max_memory_mb} MiB; then it is restarted` : "no limit"],
    ["output", `${plural(program.log_files, "file")} of ${program.log_size} kept`],
  ];
}

/** When it is ready. */
const readyText = ({ http, line, after }) => (http ? `once ${http} answers` : line ? `once it prints a line that matches ${line}` : `once it has run for ${after}`);

/** How it is checked. */
const aliveText = (alive) => (alive ? `asked at ${alive.http} every ${alive.every}; restarted after ${plural(alive.failures, "failure")} in a row` : "no checks");
