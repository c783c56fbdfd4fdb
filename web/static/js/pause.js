// "Pause": what would change on the page is counted instead, and happens when the reader goes on.
//
// What somebody may no longer see is never held.

import { fill } from "./words.js";

const waiting = new Map(); // what would change → how to do it; the latest of each
const changed = new Set(); // the ideas that it is about
let paused = false;

/** True where the page is paused: `work` is then done later, once, in place of what waits under the same name. */
export function held(name, work, idea) {
  if (!paused) return false;
  waiting.set(name, work);
  if (idea) changed.add(idea);
  label();
  return true;
}

export function start() {
  const button = document.querySelector("[data-live-pause]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", (event) => {
    event.preventDefault();
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    if (!paused) for (const work of [...waiting.values()]) work();
    if (!paused) waiting.clear();
    if (!paused) changed.clear();
    label();
  });
}

function label() {
  const button = document.querySelector("[data-live-pause]");
  const place = button?.querySelector("[data-live-pause-words]");
  if (!place) return;
  button.dataset.livePause ||= place.textContent;
  const many = changed.size && button.dataset.liveResumeMany;
  place.textContent = paused ? (many ? fill(many, { n: changed.size }) : button.dataset.liveResume || "Go on") : button.dataset.livePause;
}
