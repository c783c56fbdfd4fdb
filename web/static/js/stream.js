// The live stream, without a page: one connection, one cursor, and whether it can be believed just now.
//
// The cursor is the promise. It moves only to where everything before has been handed on: while a watch is unanswered
// nothing else may move it, or what the answer brings would be skipped after the next lost connection.

import { io } from "../vendor/socket.io.esm.min.js";

const SILENCE = 10_000; // the server speaks every 5 s: after this long without a frame nothing can be said to be live
const SUSPICIOUS = 7_500; // a heartbeat went missing: what came with it may have too
const PATIENCE = 5_000; // for the answer to a watch
const FIRST_DELAY = 300, LONGEST_DELAY = 2_000;
const MOST_TOPICS = 200;

// What stands between may let a websocket begin and then close it, or swallow what it brings. After so many in a row that came
// to nothing in so short a time, polling serves for a while, on this page and on those opened meanwhile.
const MOST_LOST = 2, TOO_SHORT = 30_000, POLLING_FOR = 15 * 60_000, POLLING_KEY = "stream by polling until";

/**
 * @typedef {object} Told what the page does with what it is told
 * @property {(ack: object, why: {resumed: boolean}) => void} onAck  tallies and refusals; with `resumed` false, reload what is shown
 * @property {(event: object) => void} onEvent  one event, once, in order
 * @property {(facts: object) => void} onFacts  tallies by topic
 * @property {() => void} onRights  whoever opened this page is somebody else now, or may see other things
 * @property {() => void} onChange  it may have become live, or have ceased to be
 */

export class Stream {
  #told; #topics; #cursor; #socket; #retry; #tries = 0;
  #watching = 0; // which watch is the latest
  #watched = new Set(); // topics asked for on this connection
  #answered = false;
  #early = []; // events that came before the answer to the watch
  #last = -1; // the greatest sequence that was handed on
  #afresh = false; // the past is void: the next answer says where the present begins
  #began = 0; // when we last asked for a connection, or for an answer to a watch
  #dialled = 0; // when we last asked for a connection
  #lost = 0; // websockets in a row that opened and soon came to nothing
  #polls = false; // because of that

  /** When a frame was last heard; at first, when the page was made. Wall-clock time: other clocks stand still in sleep. */
  heard = Date.now();

  /**
   * @param {() => string[]} topics what the page shows now
   * @param {string|null} cursor from before the page's rows were read
   * @param {Told} told
   */
  constructor(topics, cursor, told) {
    this.#topics = topics;
    this.#cursor = cursor;
    this.#told = told;
    this.#socket = io("/live", {
      path: "/socket.io",
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnection: false, // ours below: with jitter up to its very end, and after the server's own goodbye too
      timeout: 20_000,
      autoConnect: false,
      forceNew: true,
    });
    this.#socket.on("connect", () => {
      this.#watched.clear();
      this.#watch();
    });
    this.#socket.on("connect_error", () => this.#later());
    this.#socket.on("disconnect", (reason) => {
      if (reason.startsWith("transport")) this.#countLost(); // cut; not by either end's own goodbye
      this.#later();
    });
    this.#socket.on("event", (event) => this.#hear() && this.#tell(event));
    this.#socket.on("facts", (facts) => this.#hear() && this.#told.onFacts(facts));
    this.#socket.on("head", ({ cursor }) => {
      if (this.#hear() && this.#answered) this.#cursor = cursor;
    });
    this.#socket.on("reset", ({ why }) => {
      this.#hear();
      if (why === "rights") this.#told.onRights();
      this.#forget();
      this.#watch();
    });
    setInterval(() => this.check(), 250);
  }

  /** Connected, answered, and heard within ten seconds: all three, or the page must not say "live". */
  get live() {
    return this.#socket.connected && this.#answered && this.silence < SILENCE;
  }

  get silence() {
    return Date.now() - this.heard;
  }

  start() {
    if (!this.#socket.active) this.#dial();
  }

  stop() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#answered = false;
    this.#socket.disconnect();
    clearTimeout(this.#retry); // the goodbye itself asked for another try
    this.#retry = undefined;
  }

  /** Watch what the page shows now. Topics it no longer shows are left. */
  rewatch() {
    if (this.#socket.connected) this.#watch();
  }

  /** Look at once whether this is still true; timers sleep when the page or the machine does. */
  check() {
    if (this.#socket.connected && Math.min(this.silence, Date.now() - this.#began) >= SILENCE) {
      this.#countLost();
      this.#dial();
    }
    if (this.live && this.#polls && !pollsStill()) this.#dial();
    this.#probe();
    this.#told.onChange();
  }

  /** The network is back, or the page is looked at again: do not wait for the next try. */
  hurry() {
    if (this.#retry) this.#dial();
    else this.check();
  }

  /** Try now, whatever was planned. */
  #dial() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#answered = false;
    if (this.#socket.active) this.#socket.disconnect();
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#began = this.#dialled = Date.now();
    this.#polls = pollsStill();
    this.#socket.io.opts.transports = this.#polls ? ["polling"] : ["websocket", "polling"];
    this.#socket.connect();
  }

  #countLost() {
    if (this.#socket.io.engine?.transport.name !== "websocket") return;
    this.#lost = Date.now() - this.#dialled < TOO_SHORT ? this.#lost + 1 : 0;
    if (this.#lost < MOST_LOST) return;
    this.#lost = MOST_LOST - 1; // when it is tried again, once is enough
    pollFor(POLLING_FOR);
  }

  #later() {
    this.#answered = false;
    this.#watching += 1;
    clearTimeout(this.#retry);
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#tries++);
    this.#retry = setTimeout(() => this.#dial(), most * (0.5 + Math.random() / 2));
    this.#told.onChange();
  }

  /** A frame came. False where it tells of a gap, and everything since is asked for again. */
  #hear() {
    const silence = this.silence;
    this.heard = Date.now();
    if (silence < SUSPICIOUS || !this.#answered) return true;
    this.#watch();
    return false;
  }

  #forget() {
    this.#cursor = null;
    this.#last = -1;
    this.#afresh = true;
  }

  #watch() {
    const mine = ++this.#watching;
    this.#began = Date.now();
    this.#answered = false;
    this.#early = [];
    const topics = this.#topics().slice(0, MOST_TOPICS);
    const left = [...this.#watched].filter((topic) => !topics.includes(topic));
    if (left.length) this.#socket.emit("unwatch", { topics: left });
    this.#watched = new Set(topics);
    this.#socket.timeout(PATIENCE).emit("watch", { topics, cursor: this.#cursor }, (late, ack) => {
      if (mine !== this.#watching) return;
      if (late || !ack.ok) return this.#hangUp();
      this.heard = Date.now();
      this.#tries = 0;
      const resumed = ack.mode === "resume" || (ack.mode === "start" && !this.#afresh);
      if (!resumed) this.#last = -1;
      this.#afresh = false;
      this.#answered = true;
      this.#told.onAck(ack, { resumed });
      for (const event of ack.events) this.#tell(event);
      this.#cursor = ack.cursor;
      for (const event of this.#early.splice(0)) this.#tell(event);
      this.#told.onChange();
    });
  }

  #hangUp() {
    this.#socket.disconnect();
    if (!this.#retry) this.#later();
  }

  #tell(event) {
    if (!this.#answered) return void this.#early.push(event);
    const sequence = Number(event.sequence);
    if (sequence <= this.#last) return;
    this.#last = sequence;
    this.#cursor = event.cursor;
    this.#told.onEvent(event);
  }

  // A connection whose answers are swallowed hangs for as long as we let it, and a slow one must be let. So while one is
  // being opened for long, ask for something small: where that is answered many times over meanwhile, this one is lost.

  #probes = 0; #probed = 0;

  async #probe() {
    const opening = this.#socket.active && !this.#socket.connected && !this.#retry;
    const unanswered = this.#socket.connected && !this.#answered;
    const began = this.#began, asked = Date.now();
    if (!(opening || unanswered) || asked - began < 1_000 || asked - this.#probed < 750 || this.#probes > 3) return;
    this.#probed = asked;
    this.#probes += 1;
    try {
      await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(3_000) });
      const took = Date.now() - asked;
      if (began === this.#began && !this.#answered && !this.#retry && Date.now() - began > 1_000 + 4 * took) {
        this.#countLost();
        this.#dial();
      }
    } catch {
      // No answer: there is nothing to conclude from that.
    } finally {
      this.#probes -= 1;
    }
  }
}

let pollingUntil = 0; // where the browser keeps nothing

function pollFor(time) {
  pollingUntil = Date.now() + time;
  try {
    localStorage.setItem(POLLING_KEY, pollingUntil);
  } catch {
    // It is known on this page at least.
  }
}

function pollsStill() {
  let until = pollingUntil;
  try {
    until = Number(localStorage.getItem(POLLING_KEY));
  } catch {
    // Nothing is kept: what this page knows must do.
  }
  return Date.now() < until;
}
