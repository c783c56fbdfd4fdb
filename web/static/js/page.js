// The page itself, fetched again: for what stands in no part, such as a list.

import { isGone } from "./gone.js";
import * as parts from "./parts.js";
import { keyOf, reconcile } from "./reconcile.js";
import { offer } from "./waiting.js";

const UNDERWAY = 5_000; // that a form which was sent has to lead to its page

/** The page with everything new in it, in its new order: on the reader's request. Nothing where it could not be had. */
export async function showAll() {
  const [main, fresh] = await both();
  return fresh && parts.change(main, fresh, { gone: isGone });
}

/** Bring up to date what is shown, in its place and order; what is new waits. False where nobody answered. */
export async function catchUp() {
  const asked = performance.now();
  const [main, fresh] = await both();
  if (fresh === null) again(); // not for us any more: let the server say so
  if (!fresh) return fresh === null;
  const shown = items(main);
  const now = items(fresh);
  for (const [key, item] of shown) if (now.has(key) && !item.dataset.src) reconcile(item, now.get(key), { gone: isGone });
  for (const part of parts.all()) {
    const same = fresh.querySelector(`#${CSS.escape(part.id)}`);
    if (same && !part.parentElement.closest("[id][data-src]")) parts.put(part, same, { asked });
  }
  const newcomers = [...now].filter(([key]) => !shown.has(key)).map(([, item]) => item);
  main.dispatchEvent(new CustomEvent("live:changed", { bubbles: true, detail: { added: [], held: newcomers, left: [] } }));
  offer(main, newcomers, () => showAll());
  return true;
}

/** Load this page anew. Whoever just sent a form that leads elsewhere, such as to sign out, is not called back from their way. */
export function again() {
  const left = sentAt + UNDERWAY - performance.now();
  if (left > 0) setTimeout(again, left);
  else location.reload();
}

let sentAt = -Infinity;
addEventListener("submit", (event) => {
  if (!event.defaultPrevented) sentAt = performance.now(); // heard last: nobody sends it by themselves
});
addEventListener("pageshow", () => (sentAt = -Infinity));

/** The page is for us no more: the server says what stands here now. If it cannot be asked, nothing is shown. */
export async function leaveIfGone(text) {
  const main = document.querySelector("main");
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(3_000) });
    if (answer.ok) return void (await showAll());
    again();
  } catch {
    const line = document.createElement("p");
    line.className = "govuk-body-l";
    line.textContent = text;
    main.replaceChildren(line);
  }
}

/** What is shown and what the server has: null where it refuses, undefined where nobody answers. */
async function both() {
  const main = document.querySelector("main");
  try {
    return [main, await parts.load(location.href, main.id)];
  } catch {
    return [main, undefined];
  }
}

/** What comes and goes on the page outside its parts, by key. */
function items(root) {
  const found = [...root.querySelectorAll("[data-key]")].filter((item) => !item.parentElement.closest("[data-key], [id][data-src]"));
  return new Map(found.map((item) => [keyOf(item), item]));
}
