// "3 new ideas: show them". What is new waits behind a button until the reader asks for it; without script, and while the
// page is not live, the button is a link to the page as it is now.

import { say } from "./status.js";
import { fill, number } from "./words.js";

const bars = new WeakMap(); // form → {refs: what waits, show: how to let it in}

/** Something was posted that a list on this page would show. Parts count for themselves (`offer`). */
export function onEvent(event, show) {
  for (const form of document.querySelectorAll("form[data-new-on]")) {
    if (form.dataset.newOn.split(/\s+/).includes(event.type) && !form.closest("[data-calm]")) {
      put(form, new Set([...(bars.get(form)?.refs ?? []), ...newcomers(event)]), show);
    }
  }
}

/** One for each idea that came: an import brings many, and does not name them. */
function newcomers({ id, data }) {
  return data.idea ? [data.idea] : Array.from({ length: data.ideas ?? 0 }, (_, n) => `${id} ${n}`);
}

/** What waited is gone. */
export function drop(ref) {
  for (const form of document.querySelectorAll("form[data-new-on]")) {
    const bar = bars.get(form);
    if (bar?.refs.delete(ref)) put(form, bar.refs, bar.show);
  }
}

/** Have newcomers of `element` wait behind its bar, all of them; without a bar they do not wait. */
export function offer(element, newcomers, show) {
  const form = [...element.querySelectorAll("form[data-new-on]")].find((bar) => bar.closest("[id][data-src], main") === element);
  if (form) put(form, new Set(newcomers.map((node) => node.dataset.key)), show);
  else if (newcomers.length) show();
}

function put(form, refs, show) {
  const before = bars.get(form)?.refs.size ?? 0;
  bars.set(form, { refs, show });
  form.hidden = refs.size === 0;
  if (form.hidden) return;
  label(form).textContent = text(form, refs.size);
  if (refs.size > before) say(said(form, refs.size), form);
}

/** So many came into `element` at once, without waiting. */
export function announce(element, count) {
  const form = element.querySelector("form[data-new-on]");
  if (form && count) say(said(form, count), form);
}

function text(form, count) {
  return fill(count === 1 ? form.dataset.newOne : form.dataset.newMany, { n: number(count) });
}

/** "3 new ideas", of "3 new ideas: show them". */
function said(form, count) {
  return text(form, count).split(":")[0];
}

/** The words of the button, beside its icon. */
function label(form) {
  const button = form.querySelector("button");
  const place = button.querySelector("[data-new-words]");
  if (place) return place;
  const made = document.createElement("span");
  made.dataset.newWords = "";
  for (const node of [...button.childNodes]) if (node.nodeType === Node.TEXT_NODE) node.remove();
  button.append(made);
  return made;
}

document.addEventListener("submit", async (event) => {
  const bar = bars.get(event.target);
  if (!bar?.show) return;
  event.preventDefault();
  const shown = await bar.show();
  if (!shown) return void event.target.submit();
  put(event.target, new Set(), bar.show);
  // The button that had focus is hidden now: go on where the new begins.
  const first = shown.added.find((node) => node.isConnected);
  if (!first || document.activeElement !== document.body) return;
  first.tabIndex = -1;
  first.focus({ preventScroll: true });
  first.scrollIntoView({ block: "nearest" });
});
