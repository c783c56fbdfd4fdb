// Keeps a complete page true. `<main data-live-topics="…" data-live-cursor="…">` says what the page shows and from when.

import * as facts from "./facts.js";
import * as gone from "./gone.js";
import * as page from "./page.js";
import * as parts from "./parts.js";
import * as pause from "./pause.js";
import * as sign from "./sign.js";
import { Stream } from "./stream.js";
import * as waiting from "./waiting.js";
import { words } from "./words.js";

const main = document.querySelector("main[data-live-topics]");
let stream;
let behind = false; // was told what it missed, and is still fetching it
let reloading = false;

/** Is the page live: heard from within ten seconds, and showing all that it was told of? */
export function isLive() {
  return Boolean(stream?.live) && !behind;
}

export function start() {
  if (!main) return;
  stream = new Stream(topics, main.dataset.liveCursor || null, { onAck, onEvent, onFacts: facts.take, onRights, onChange });
  pause.start();
  stream.start();
  addEventListener("pagehide", () => stream.stop());
  addEventListener("pageshow", (event) => event.persisted && stream.start());
  addEventListener("online", () => stream.hurry());
  document.addEventListener("visibilitychange", () => document.hidden || stream.hurry());
}

function topics() {
  return (main.dataset.liveTopics ?? "").split(/\s+/).filter(Boolean);
}

function onAck(ack, { resumed }) {
  behind = true;
  parts.hurry();
  if (!resumed) {
    facts.forget();
    reload();
  }
  facts.take(ack.facts);
  for (const topic of ack.refused) refused(topic);
}

/** All that the page shows, in one request, until that succeeds; while it is paused, later. What is gone goes by itself. */
async function reload(delay = 500) {
  reloading = !pause.held("page", reload);
  if (!reloading) return;
  if (await page.catchUp()) reloading = false;
  else setTimeout(() => reload(Math.min(delay * 2, 5_000)), delay);
}

/** Signed out, or in as somebody else, in another tab: the name at the top and every form are of the one who was here before. */
function onRights() {
  page.again();
}

/** A topic that we may not watch: its idea is gone, or is ours to see but by other rights (its author's, a moderator's). */
async function refused(topic) {
  const ref = topic.replace(/^idea:/, "");
  if (ref === topic) return;
  if (topics().length === 1) return page.leaveIfGone(words("liveGone"));
  const answer = await parts.load(`/ideas/${ref}`, "main").catch(() => undefined);
  if (answer === null) gone.lose(ref, () => page.leaveIfGone(words("liveGone")));
}

function onEvent(event) {
  gone.onEvent(event, () => page.leaveIfGone(words("liveGone")));
  document.dispatchEvent(new CustomEvent("live:event", { detail: event }));
  parts.onEvent(event);
  if (location.search) countNew(event);
  else waiting.onEvent(event, showNew);
}

/** Which of the new belongs into a list that is filtered or sorted, only the server can say. */
function countNew(event) {
  const forms = [...document.querySelectorAll("form[data-new-on]")].filter((form) => !form.closest("[data-calm]"));
  if (!forms.some((form) => form.dataset.newOn.split(/\s+/).includes(event.type))) return;
  clearTimeout(counting);
  counting = setTimeout(() => pause.held("page", reload) || page.catchUp(), 300 + Math.random() * 700);
}
let counting;

async function showNew() {
  const before = topics().join();
  const shown = await page.showAll();
  if (shown && topics().join() !== before) stream.rewatch();
  return shown;
}

function onChange() {
  if (behind && stream.live && !parts.pending() && !reloading) behind = false;
  sign.show(isLive(), stream.heard);
}
