// What somebody may no longer see leaves the page at once, also out of their hands.

import { drop } from "./waiting.js";
import { words } from "./words.js";

const FADE = 240;
const LOST = ["idea.hidden", "idea.withdrawn", "idea.restricted"];
const FOUND = ["idea.restored", "idea.opened_to_public", "comment.restored"];

const gone = new Set(); // references

/** Does that key stand for something that was taken out of sight? */
export function isGone(key) {
  return [...gone].some((ref) => key.endsWith(ref));
}

/**
 * @param {object} event
 * @param {(ref: string) => void} leavePage for the page of an idea that is gone
 */
export function onEvent(event, leavePage) {
  const { idea, comment, title } = event.data;
  if (FOUND.includes(event.type)) gone.delete(comment ?? idea);
  if (event.type === "comment.hidden") gone.add(comment);
  // Who may still see the idea is told its title; a tombstone carries the reference and nothing else.
  if (LOST.includes(event.type) && title === undefined) lose(idea, leavePage);
}

/** An idea is gone: its cards, or the page that is all about it. */
export function lose(ref, leavePage) {
  gone.add(ref);
  drop(ref);
  const topics = (document.querySelector("main")?.dataset.liveTopics ?? "").split(/\s+/);
  const isList = topics.includes("ideas") || topics.includes("board");
  if (!isList && topics.includes(`idea:${ref}`)) return leavePage(ref);
  for (const place of document.querySelectorAll(`[data-topic="idea:${CSS.escape(ref)}"]`)) vanish(place.closest("[data-key]") ?? place);
}

/** The card keeps its place, so that nothing moves under a finger, and says why it is empty. */
async function vanish(card) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  card.style.minHeight = `${card.offsetHeight}px`;
  card.inert = true;
  card.classList.add("is-gone");
  await card.animate([{ opacity: 1 }, { opacity: 0 }], { duration: calm ? 0 : FADE, fill: "forwards" }).finished;
  const line = document.createElement("p");
  line.className = "govuk-hint";
  line.textContent = words("liveGone");
  card.replaceChildren(line);
  card.inert = false;
  for (const animation of card.getAnimations()) animation.cancel();
}
