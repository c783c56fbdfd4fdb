// The board: a card that moves to another stage glides there once, keeps a tinted ground for a minute, and can be dragged.
// Dragging opens the card's own "Move" form with the stage chosen, because a move needs a reason.

import { say } from "./status.js";
import { fill, time } from "./words.js";

const GLIDE = 420, FRESH = 60_000;

const places = new Map(); // card's key → where it stood before a change
const fresh = new Map(); // idea's reference → {until, at}

export function start() {
  if (!document.querySelector(".board")) return;
  document.addEventListener("live:event", (event) => onEvent(event.detail));
  document.addEventListener("live:changing", measure);
  document.addEventListener("live:changed", settle);
  listenToDrags();
  makeDraggable();
}

function cards() {
  return [...document.querySelectorAll('.board [data-topic^="idea:"][data-key]')];
}

function columnOf(card) {
  return card.closest(".column");
}

// Moving

function onEvent(event) {
  if (event.type !== "idea.stage_changed" && event.type !== "idea.posted") return;
  const at = Date.parse(event.time) || Date.now();
  if (Date.now() - at < FRESH) fresh.set(event.data.idea, { at, until: at + FRESH, said: false });
}

function measure() {
  places.clear();
  for (const card of cards()) places.set(card.dataset.key, { ...position(card), column: columnOf(card) });
}

function position(card) {
  const { left, top } = card.getBoundingClientRect();
  return { left, top };
}

function settle() {
  for (const card of cards()) {
    const before = places.get(card.dataset.key);
    if (before && before.column !== columnOf(card)) glide(card, before);
    freshen(card);
  }
  places.clear();
  makeDraggable();
}

function glide(card, from) {
  // The open form is fixed to the window, and would be to a card that is being transformed.
  if (matchMedia("(prefers-reduced-motion: reduce)").matches || card.querySelector("details[open]")) return;
  const to = position(card);
  card.animate(
    [{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)`, zIndex: 2 }, { transform: "none", zIndex: 2 }],
    { duration: GLIDE, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" },
  );
}

/** The ground and the words of a card that is new where it stands. */
function freshen(card) {
  const ref = card.dataset.topic.slice("idea:".length);
  const note = card.querySelector("[data-fresh]");
  const news = fresh.get(ref);
  const isFresh = Boolean(news) && Date.now() < news.until;
  card.classList.toggle("is-fresh", isFresh);
  if (note) {
    note.textContent = isFresh ? fill(note.dataset.fresh || "new at %(time)s", { time: time(news.at) }) : "";
    note.hidden = !isFresh;
  }
  if (!isFresh || news.said) return;
  news.said = true;
  const title = card.querySelector("h3, a")?.textContent.trim();
  const stage = columnOf(card)?.querySelector("h2")?.textContent.trim();
  if (title && stage) say(`${title}: ${stage}`, ref);
  setTimeout(() => {
    fresh.delete(ref);
    for (const other of cards()) if (other.dataset.topic === `idea:${ref}`) freshen(other);
  }, news.until - Date.now() + 50);
}

// Dragging

let dragged;

function moveForm(card) {
  return card.querySelector('details form[action$="/moves"]');
}

function makeDraggable() {
  for (const card of cards()) if (moveForm(card)) card.draggable = true;
}

function listenToDrags() {
  document.addEventListener("dragstart", (event) => {
    const card = event.target.closest?.("[draggable=true][data-key]");
    if (!card || event.target.closest("details[open]")) return;
    dragged = card;
    card.classList.add("is-dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", card.querySelector("a")?.href ?? "");
  });
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("is-dragged");
    dragged = undefined;
  });
  document.addEventListener("dragover", (event) => {
    const stage = stageUnder(event);
    if (stage && choiceOf(stage)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const stage = stageUnder(event);
    const choice = stage && choiceOf(stage);
    if (!choice) return;
    event.preventDefault();
    open(dragged, choice);
  });
}

function stageUnder(event) {
  const column = event.target.closest?.(".column");
  return dragged && column && column !== columnOf(dragged) ? column.dataset.stage : null;
}

function choiceOf(stage) {
  return moveForm(dragged).querySelector(`input[name="to"][value="${CSS.escape(stage)}"]`);
}

function open(card, choice) {
  const form = moveForm(card);
  form.closest("details").open = true;
  choice.checked = true;
  choice.dispatchEvent(new Event("change", { bubbles: true }));
  const first = [...form.querySelectorAll("textarea, input[type=date], input[type=text]")].find((field) => field.checkVisibility());
  (first ?? choice).focus();
}
