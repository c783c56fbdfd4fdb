// Parts of a page that are fetched again when something happened: the same address, the same template, the same permission.
//
// One fetch of a part is under way at a time; whatever happens meanwhile is joined into one more after it. What concerns more
// than a few parts at once is one fetch of the page that holds them all.

import * as facts from "./facts.js";
import { held } from "./pause.js";
import { reconcile } from "./reconcile.js";
import { isGone } from "./gone.js";
import { announce, offer } from "./waiting.js";

const FEW = 2; // parts that are fetched one by one
const SPREAD = 250; // milliseconds over which watchers of one page ask for it again
const AGAIN_AFTER = [500, 1_000, 2_000, 5_000]; // milliseconds, after a fetch that failed

/** @type {Map<Element, {again: boolean, own: boolean, page?: Promise<Element|null>, failures: number, work: Promise<void>}>} */
const busy = new Map();
const broughtIn = new WeakMap(); // part → when it was last asked for, of what stands there now

/** Every part on the page. */
export function all() {
  return [...document.querySelectorAll("[id][data-src]")];
}

/** The part that shows this element. */
export function around(element) {
  return element.closest("[id][data-src]");
}

/** Fetch again what an event concerns. */
export function onEvent(event) {
  const concerned = all().filter((part) => concerns(part, event));
  for (const part of concerned) refresh(part, { idea: event.data.idea, together: concerned.length > FEW });
}

function concerns(part, event) {
  const types = (part.dataset.refreshOn ?? "").split(/\s+/);
  if (!types.includes(event.type)) return false;
  const topic = part.closest("[data-topic]")?.dataset.topic ?? "";
  return !topic.startsWith("idea:") || topic === `idea:${event.data.idea}`;
}

/** Is anything still being fetched? */
export function pending() {
  return busy.size > 0;
}

/**
 * Bring a part up to date, and resolve when it is. With `own`, what is new is the reader's own and appears at once;
 * `together` with others, it is taken out of the whole page.
 * @returns {Promise<void>}
 */
export function refresh(part, { own = false, idea, together = false } = {}) {
  if (!own && changing.has(part)) {
    changing.set(part, performance.now());
    return Promise.resolve();
  }
  if (!own && held(`part ${part.id}`, () => refresh(part), idea)) return Promise.resolve();
  const running = busy.get(part);
  if (running) {
    if (!own && coming && running.page === coming) return running.work; // the page is still to be asked for, and will show this
    running.again = true;
    running.own ||= own;
    running.page = together && !running.own ? wholePage() : undefined;
    return running.work;
  }
  const state = { again: true, own, page: together ? wholePage() : undefined, failures: 0 };
  busy.set(part, state);
  state.work = run(part, state).finally(() => busy.delete(part));
  return state.work;
}

const changing = new Map(); // part that a form of its own is being sent for → when there was news of it meanwhile

/** Do what changes a part. Its news wait until then, so that what is the reader's own never stands behind a button. */
export async function whileChanging(part, work) {
  if (!part) return work();
  changing.set(part, 0);
  try {
    await work();
  } finally {
    const news = changing.get(part);
    changing.delete(part);
    if (news > (broughtIn.get(part) ?? 0)) refresh(part);
  }
}

async function run(part, state) {
  while (state.again && part.isConnected) {
    const { own, page } = state;
    state.again = state.own = false;
    const asked = performance.now(), { signal } = connection;
    try {
      const fresh = page ? await within(page, part) : await load(part.dataset.src, part.id);
      if (fresh) put(part, fresh, { own, asked });
      state.failures = 0;
    } catch {
      state.again = true;
      state.own ||= own;
      if (!signal.aborted) await pause(AGAIN_AFTER[Math.min(state.failures++, AGAIN_AFTER.length - 1)]);
      state.page = page && !state.own ? wholePage() : undefined;
    }
  }
}

let coming; // the page, about to be asked for

/** The page's `<main>`, asked for in a moment: whoever needs it until then shares it, and not all watchers ask at once. */
function wholePage() {
  coming ??= (async () => {
    await pause(Math.random() * SPREAD);
    coming = undefined;
    return load(location.href, "main");
  })();
  return coming;
}

/** A part as that page holds it; where it does not, as the server has it by itself. */
async function within(page, part) {
  const main = await page;
  return main && (main.querySelector(`#${CSS.escape(part.id)}`) ?? load(part.dataset.src, part.id));
}

/**
 * The element of that id as the server has it now; null where we may not see it (any more). Throws where there is no answer.
 * @returns {Promise<Element|null>}
 */
export async function load(address, id) {
  const answer = await fetch(address, {
    credentials: "same-origin",
    headers: { Accept: "text/html", "X-Requested-With": "live" },
    cache: "no-store",
    signal: abortedAfter(8_000),
  });
  if (answer.status >= 500 || answer.status === 429) throw new Error(`${answer.status}`);
  if (!answer.ok) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.getElementById(id) ?? page.body.firstElementChild;
}

/** Show a part as it came from the server, unless it was brought in since that was `asked` for. */
export function put(part, fresh, { own = false, asked }) {
  if (broughtIn.get(part) > asked) return;
  broughtIn.set(part, asked);
  const wait = !own && part.hasAttribute("data-calm") && isRead(part);
  const { added } = change(part, fresh, { wait, gone: isGone });
  if (!own) announce(part, added.length);
}

/** Reconcile, and tell whoever decorates: before, so that they can measure, and afterwards. */
export function change(element, fresh, options) {
  element.dispatchEvent(new CustomEvent("live:changing", { bubbles: true }));
  const result = keepInSight(() => reconcile(element, fresh, options));
  facts.repaint();
  offer(element, result.held, () => change(element, fresh, { ...options, wait: false }));
  element.dispatchEvent(new CustomEvent("live:changed", { bubbles: true, detail: result }));
  return result;
}

/** Is the reader in there: with focus, or having scrolled to it? What only happens to be in sight of a page just opened is not. */
function isRead(part) {
  if (part.contains(document.activeElement)) return true;
  const { top, bottom } = part.getBoundingClientRect();
  return window.scrollY > 0 && top < window.innerHeight * 0.6 && bottom > 0;
}

/** What is read stays where it is. Browsers see to that themselves, but for those that do not. */
function keepInSight(work) {
  if (CSS.supports("overflow-anchor", "auto") || window.scrollY === 0) return work();
  const anchor = document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 3);
  const before = anchor?.getBoundingClientRect().top;
  const result = work();
  if (anchor?.isConnected) window.scrollBy(0, anchor.getBoundingClientRect().top - before);
  return result;
}

let connection = new AbortController(); // aborted when there is a new one: what was asked of the old may never be answered

/** The server is back: what waits for another try, or hangs, is asked for now. */
export function hurry() {
  connection.abort();
  connection = new AbortController();
}

/** Aborted after so long, or when the server is back. */
function abortedAfter(milliseconds) {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), milliseconds);
  connection.signal.addEventListener("abort", () => stop.abort(), { once: true });
  return stop.signal;
}

/** Wait so long, or until the server is back. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    connection.signal.addEventListener("abort", resolve, { once: true });
  });
}
