// The stream of events: one WebSocket that is always there, or on its way back, without a gap.
//
// It remembers the last seq it saw and asks for what came after it. Where the server cannot give
// that any more it says `reset`; then the page reads everything anew (`fresh`). A connection that
// has been silent for some heartbeats is as dead as a closed one.
import { ask } from "./http.js";
import { learnClock } from "./time.js";

const SILENCE_MS = 6000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;

/**
 * @typedef {object} Listeners
 * @property {(hello: any) => void} [fresh] connected, and what was known before must be read anew
 * @property {(events: any[]) => void} [events]
 * @property {(message: any) => void} [pulse] counts and workers: with hello and each heartbeat
 * @property {(lines: any[]) => void} [log]
 * @property {(state: "connecting" | "live" | "waiting", nextTryMs: number) => void} [state]
 */

export class Live {
  /** @param {string} path @param {Listeners} on */
  constructor(path, on) {
    this.path = path;
    this.on = on;
    this.seq = null;
    this.failures = 0;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    this.connect();
  }

  /** No more: the server has nothing to tell. */
  stop() {
    const socket = this.socket;
    this.socket = null;
    clearTimeout(this.silence);
    socket?.close();
  }

  /** Try at once, if a try is due later. */
  hurry() { if (this.timer) this.connect(); }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.on.state?.("connecting", 0);
    const url = new URL(this.path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.seq !== null) url.searchParams.set("after", this.seq);
    const socket = new WebSocket(url);
    this.watch(socket);
    socket.onmessage = ({ data }) => { this.watch(socket); this.take(JSON.parse(data), socket); };
    socket.onclose = () => this.lost(socket);
    this.socket = socket;
  }

  /** Starts the wait for the next message anew. */
  watch(socket) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => { socket.close(); this.lost(socket); }, SILENCE_MS);
  }

  lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures++);
    const wait = longest * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.connect(), wait);
    this.on.state?.("waiting", Date.now() + wait);
    // Why a handshake was refused is not told to scripts. If the session is over, this finds out.
    if (this.failures > 1) ask("/session").catch(() => {});
  }

  take(message, socket) {
    if (socket !== this.socket) return;
    if (message.at) learnClock(message.at);
    switch (message.type) {
      case "hello": {
        const resumed = this.seq !== null;
        this.failures = 0;
        this.seq = message.seq;
        this.on.state?.("live", 0);
        this.on.pulse?.(message);
        if (!resumed) this.on.fresh?.(message);
        break;
      }
      case "events":
        this.on.events?.(message.events);
        for (const { seq } of message.events) if (seq) this.seq = seq;
        break;
      case "heartbeat": this.on.pulse?.(message); break;
      case "log": this.on.log?.(message.lines); break;
      case "reset": this.reset(socket); break;
    }
  }

  /** What comes next is not what followed: the next hello is a first one. */
  reset(socket) {
    this.seq = null;
    setTimeout(() => { if (this.seq === null && socket === this.socket) socket.close(); }, 1000);
  }
}
