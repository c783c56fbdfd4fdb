// The live sign: solid, dashed or filled, each with its words. It never says "Live" on hope.

import { say } from "./status.js";
import { fill, time, words } from "./words.js";

const CATCHING_AFTER = 1_000, OFF_AFTER = 10_000;
const CLASSES = { on: "live--on", catching: "live--catching", off: "live--off" };

let shown;
let lostAt = Date.now();

/** Show whether the page is live, and when it was last heard from the hub if it is not. */
export function show(live, heard) {
  const silence = Date.now() - heard;
  if (live) lostAt = undefined;
  else lostAt ??= Date.now();
  if (live) paint("on", words("liveOn", sign()));
  else if (silence >= OFF_AFTER) paint("off", fill(words("liveOff", sign()), { time: time(heard) }));
  else if (Date.now() - lostAt >= CATCHING_AFTER || shown !== "on") paint("catching", words("liveCatching", sign()));
}

function sign() {
  return document.querySelector("[data-live-sign]");
}

function paint(state, text) {
  for (const place of document.querySelectorAll("[data-live-sign]")) {
    const line = place.querySelector("[data-live-words]") ?? place;
    if (place.classList.contains(CLASSES[state]) && line.textContent === text) continue;
    place.classList.remove(...Object.values(CLASSES));
    place.classList.add(CLASSES[state]);
    line.textContent = text;
    const again = place.querySelector("[data-live-again]"); // "Reload" helps only while nothing comes by itself
    if (again) again.hidden = state !== "off";
  }
  // A page that was live, and one that is again: the moments between are for the eye only.
  if (shown !== state && (state === "off" || (state === "on" && shown === "off"))) say(text, "live");
  shown = shown === "off" && state === "catching" ? shown : state;
}
