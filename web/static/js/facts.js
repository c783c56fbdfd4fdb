// Numbers that change in their own place: no request, no new script for a new number.
//
// The first change is shown at once, what follows at most once a second for the eye, and the last value wins.

import { held } from "./pause.js";
import { number } from "./words.js";

const EYE = 1_000, RING = 1_200;

const known = new Map(); // topic → its facts of the greatest version
const shownAt = new WeakMap(); // element → when it last changed
const next = new WeakMap(); // element → what it will show, and the timer of that

/** Take tallies by topic; older ones than those we have are ignored. */
export function take(facts) {
  for (const [topic, tallies] of Object.entries(facts)) {
    if (tallies.version < (known.get(topic)?.version ?? -1)) continue;
    known.set(topic, tallies);
    document.dispatchEvent(new CustomEvent("live:facts", { detail: { topic, tallies } }));
    if (!held(`facts ${topic}`, () => paint(topic), topic.split("idea:")[1])) paint(topic);
  }
}

/** Versions and numbers of before count no more: the log, or what we may see of it, is another one. */
export function forget() {
  known.clear();
}

/** After new content came in: it was rendered a moment ago, and may be older than what we know. */
export function repaint() {
  for (const topic of known.keys()) paint(topic);
}

function paint(topic) {
  const tallies = known.get(topic);
  for (const place of document.querySelectorAll(`[data-topic="${CSS.escape(topic)}"]`)) {
    if (Number(place.dataset.version ?? -1) > tallies.version) continue;
    for (const element of [place, ...place.querySelectorAll("[data-fact]")]) {
      if (!element.dataset.fact || element.closest("[data-topic]") !== place) continue;
      const value = valueOf(element, tallies);
      if (value !== undefined) set(element, number(value));
    }
  }
}

function valueOf(element, tallies) {
  return element.dataset.fact === "count" ? tallies.counts?.[element.dataset.stage] : tallies[element.dataset.fact];
}

/** The first number at once; those that come within a second are passed over but for the last. */
function set(element, text) {
  const planned = next.get(element);
  if (planned) return void (planned.text = text);
  if (element.textContent.trim() === text) return;
  const wait = (shownAt.get(element) ?? 0) + EYE - Date.now();
  if (wait <= 0) return show(element, text);
  const plan = { text };
  next.set(element, plan);
  setTimeout(() => {
    next.delete(element);
    if (element.textContent.trim() !== plan.text) show(element, plan.text);
  }, wait);
}

function show(element, text) {
  element.textContent = text;
  const word = element.nextElementSibling;
  if (word?.dataset.many) word.textContent = text === "1" ? word.dataset.one : word.dataset.many;
  shownAt.set(element, Date.now());
  element.classList.remove("is-changed");
  void element.offsetWidth; // so that the ring begins anew
  element.classList.add("is-changed");
  setTimeout(() => {
    if (Date.now() - shownAt.get(element) >= RING) element.classList.remove("is-changed");
  }, RING + 50);
}
