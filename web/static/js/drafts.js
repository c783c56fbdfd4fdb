// What is being typed into `<form data-keep>` is kept: by this browser at once, and, where the form has a place for a draft
// (`data-keep="comment-7kq2m9xv"` and a field `draft` with its version), on the hub as well, as soon as one pauses.
//
// The browser keeps what the hub has not got yet. It is put back after a crash, a lost line, a closed tab or a sign-in, and
// shown to who typed it only. Where two tabs or devices have different texts, both are offered, and neither is written over.

import { fill, time, words } from "./words.js";

const PAUSE = 1_200, AT_THE_LATEST = 8_000, AGAIN = 5_000; // milliseconds
const AGE = 30 * 24 * 3_600_000; // after which the browser forgets
const NO_VALUES = ["csrf_token", "draft", "back", "parent", "keep", "once", "email", "name"]; // who wrote is nobody's business on a shared device

const reader = document.body.dataset.reader || "nobody";
const states = new WeakMap(); // form → what is known of its draft
let filling = false; // by script, not by hand

export function start() {
  tidy();
  if (document.querySelector("[data-unsent]")) everyLocal(({ sent, ...kept }, name) => sent && store(name, kept));
  for (const form of document.querySelectorAll("form[data-keep]")) begin(form);
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!filling && form?.matches("[data-keep]")) typed(stateOf(form));
  });
  addEventListener("online", () => each((state) => state.dirty && save(state)));
  addEventListener("pagehide", () => each((state) => state.timer && save(state, { leaving: true })));
}

/** The form goes to the server as a form; whether it arrives, the next page will show. */
export function onSent(form) {
  if (!form.matches("[data-keep]")) return;
  const state = stateOf(form);
  stop(state);
  if (state.dirty || !state.hub) keepHere(state, { sent: true });
}

/** It is on its way by fetch: nothing is saved beside it. Where it does not arrive, `typed` goes on. */
export function onSending(form) {
  if (form.matches("[data-keep]")) stop(stateOf(form));
}

export function onUnsent(form) {
  if (form.matches("[data-keep]") && stateOf(form).dirty) typed(stateOf(form));
}

/** What is in it now is not what was sent. */
export function onTyped(form) {
  if (form.matches("[data-keep]")) typed(stateOf(form));
}

/** It arrived: the hub has taken the draft away, and the form is empty. */
export function forget(form) {
  if (!form.matches("[data-keep]")) return;
  const state = stateOf(form);
  stop(state);
  store(state.name, null);
  Object.assign(state, { dirty: false, rival: null });
  if (!state.hub) return;
  if (state.version > 0) setVersion(state, state.version + 1); // as the hub has
  for (const field of fieldsOf(form)) if (!isTicked(field) && field.tagName !== "SELECT") field.defaultValue = "";
  for (const button of form.querySelectorAll("[formaction*='/drafts/']")) button.remove();
  say(state, "");
}

// One form

function stateOf(form) {
  if (!states.has(form)) {
    const draft = form.dataset.keep || form.getAttribute("action") || location.pathname;
    const hub = Boolean(form.elements.draft) && reader !== "nobody";
    states.set(form, { form, hub, draft, name: `draft ${reader} ${draft} ${tab()}`, version: Number(form.elements.draft?.value ?? 0), base: valuesOf(form), dirty: false, rival: null });
  }
  return states.get(form);
}

/** A form that was just opened: put back what this browser kept of it, unless it arrived or the hub has something newer. */
function begin(form) {
  const state = stateOf(form);
  const kept = newest(state);
  if (kept) store(kept.name, null);
  if ("typed" in form.dataset) return typed(state); // refused: the page shows what was sent
  if (!kept || (kept.sent && arrived(kept, state)) || same(kept.values, state.base)) return;
  fillIn(form, kept.values);
  if (kept.once && form.elements.once) form.elements.once.value = kept.once; // who sends the same again sends it once
  if (state.hub && differs(kept.values.revision, state.base.revision)) return contest(state, { values: state.base }, "keptOlder");
  if (!state.hub || kept.version === state.version) return typed(state);
  const { at } = form.querySelector("[data-kept]").dataset;
  contest(state, { values: at ? state.base : null, at }, at ? "keptOther" : "keptGone");
}

function arrived(kept, state) {
  if (state.hub && kept.version > 0) return kept.version !== state.version;
  const [visit] = performance.getEntriesByType("navigation");
  return visit?.type !== "back_forward" && visit?.type !== "reload";
}

function typed(state) {
  state.dirty = true;
  keepHere(state);
  if (!state.hub || state.rival) return;
  state.since ??= Date.now();
  clearTimeout(state.timer);
  state.timer = setTimeout(() => save(state), Math.max(0, Math.min(PAUSE, state.since + AT_THE_LATEST - Date.now())));
}

function stop(state) {
  clearTimeout(state.timer);
  state.timer = state.since = undefined;
  state.saving?.abort();
}

async function save(state, { leaving = false } = {}) {
  if (state.rival) return;
  if (state.saving && !leaving) return void (state.timer = setTimeout(() => save(state), PAUSE));
  stop(state);
  const saving = (state.saving = new AbortController());
  const values = valuesOf(state.form);
  const hanging = setTimeout(() => saving.abort("late"), 10_000);
  try {
    const body = JSON.stringify({ values, version: state.version });
    const answer = await ask(state, { method: "PUT", body, signal: saving.signal, keepalive: leaving && body.length < 30_000 });
    if (saving.signal.aborted) return;
    await onAnswer(state, values, answer);
  } catch {
    if (saving.signal.aborted && saving.signal.reason !== "late") return;
    later(state);
  } finally {
    clearTimeout(hanging);
    if (state.saving === saving) state.saving = null;
  }
}

async function onAnswer(state, values, answer) {
  if (answer.ok) {
    const kept = await answer.json();
    setVersion(state, kept.version);
    if (same(values, valuesOf(state.form))) {
      state.dirty = false;
      store(state.name, null);
    }
    return say(state, fill(wordOf(state, "keptHub"), { time: time(new Date(kept.at)) }));
  }
  if (answer.status === 412) return lookForOther(state);
  if (answer.status === 401 || answer.status === 400) return say(state, wordOf(state, "keptSignedOut"));
  if (answer.status >= 500 || answer.status === 429) return later(state);
  const { detail } = answer.status === 409 ? await answer.json() : {};
  say(state, [detail, wordOf(state, "keptOnly")].filter(Boolean).join(" "));
}

function later(state) {
  say(state, wordOf(state, "keptDevice"));
  state.timer = setTimeout(() => save(state), AGAIN);
}

function ask(state, options) {
  const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token };
  return fetch(`/api/v1/me/drafts/${state.draft}`, { credentials: "same-origin", cache: "no-store", headers, ...options });
}

// Two texts

/** Another version stands on the hub: which, and what may be done about it. */
async function lookForOther(state) {
  const answer = await ask(state, {});
  if (answer.ok) {
    const other = await answer.json();
    setVersion(state, other.version);
    if (!same(other.values, valuesOf(state.form))) return contest(state, other, "keptOther");
    state.dirty = false;
    return store(state.name, null);
  }
  if (answer.status !== 404) return later(state);
  contest(state, { values: null }, "keptGone");
}

/** There is another text, or ours was posted or discarded elsewhere. Until one is chosen, ours is saved nowhere but here. */
function contest(state, { values, at }, why) {
  state.rival = { values };
  state.dirty = true;
  keepHere(state);
  offer(state, fill(wordOf(state, why), { time: at ? time(new Date(at)) : "" }));
}

function offer(state, text) {
  const buttons = [];
  if (state.rival.values) buttons.push(button(wordOf(state, "keptShow"), () => swap(state)));
  buttons.push(button(wordOf(state, "keptTake"), () => take(state)));
  say(state, text, buttons);
}

/** The other text into the form, and what was there becomes the other. */
function swap(state) {
  const [mine, shown] = [valuesOf(state.form), state.rival.values];
  state.rival.values = mine;
  fillIn(state.form, shown);
}

function take(state) {
  if (!state.rival.values) state.version = undefined; // what is gone has no version: ours stands in its place
  state.rival = null;
  state.dirty = true;
  keepHere(state);
  save(state);
}

function button(text, work) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: "govuk-button govuk-button--secondary govuk-button--small", textContent: text });
  made.addEventListener("click", work);
  return made;
}

/** The quiet line below the form; a choice, when there is one, is read aloud. */
function say(state, text, buttons = []) {
  const line = state.form.querySelector("[data-kept-said]");
  if (!line) return;
  line.parentElement.querySelector(".kept__choice")?.remove();
  line.setAttribute("role", buttons.length ? "alert" : "none");
  line.textContent = text;
  if (!buttons.length) return;
  const choice = document.createElement("div");
  choice.className = "kept__choice row";
  choice.dataset.liveSaid = ""; // the server knows nothing of it
  choice.append(...buttons);
  line.after(choice);
}

function wordOf(state, name) {
  return words(name, state.form.querySelector("[data-kept]")) ?? "";
}

function setVersion(state, version) {
  state.version = version;
  state.form.elements.draft.value = version;
}

// Fields

function fieldsOf(form) {
  return [...form.elements].filter((field) => field.name && !NO_VALUES.includes(field.name) && field.tagName !== "BUTTON" && (field.name === "revision" || !["hidden", "password", "submit"].includes(field.type)));
}

function isTicked(field) {
  return field.type === "checkbox" || field.type === "radio";
}

/** By name, all that is typed and chosen. */
function valuesOf(form) {
  const values = {};
  for (const field of fieldsOf(form)) {
    const chosen = (values[field.name] ??= []);
    if (!isTicked(field) || field.checked) chosen.push(field.value);
  }
  return values;
}

function fillIn(form, values) {
  filling = true;
  form.closest("details")?.setAttribute("open", "");
  const places = {};
  for (const field of fieldsOf(form)) {
    const chosen = values[field.name];
    if (!chosen || field.name === "revision") continue;
    const place = (places[field.name] = (places[field.name] ?? -1) + 1);
    if (isTicked(field)) field.checked = chosen.includes(field.value);
    else field.value = chosen[place] ?? "";
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
  }
  filling = false;
}

function same(one, other) {
  const names = new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})]);
  return [...names].every((name) => name === "revision" || !differs(one?.[name], other?.[name]));
}

function differs(one, other) {
  return (one ?? []).join("\n").replaceAll("\r\n", "\n") !== (other ?? []).join("\n").replaceAll("\r\n", "\n");
}

function each(work) {
  for (const form of document.querySelectorAll("form[data-keep]")) if (states.has(form)) work(states.get(form));
}

// What the browser keeps: by reader, draft and tab, so that no tab writes over another's

function keepHere(state, more = {}) {
  store(state.name, { values: valuesOf(state.form), version: state.version ?? 0, once: state.form.elements.once?.value, at: Date.now(), ...more });
}

/** The newest of this draft, whichever tab it was typed in. */
function newest(state) {
  let found = null;
  everyLocal((kept, name) => {
    if (name.startsWith(`draft ${reader} ${state.draft} `) && kept.at > (found?.at ?? 0)) found = { ...kept, name };
  });
  return found;
}

/** Somebody else uses this browser now: what others were typing is theirs. And nothing lies here for ever. */
function tidy() {
  everyLocal((kept, name) => {
    const theirs = reader !== "nobody" && !name.startsWith(`draft ${reader} `);
    if (theirs || !(kept.at > Date.now() - AGE)) store(name, null);
  });
}

function everyLocal(work) {
  attempt(() => {
    for (const name of Object.keys(localStorage)) if (name.startsWith("draft ")) work(JSON.parse(localStorage.getItem(name)) ?? {}, name);
  });
}

function store(name, kept) {
  attempt(() => (kept ? localStorage.setItem(name, JSON.stringify(kept)) : localStorage.removeItem(name)));
}

function tab() {
  return attempt(() => {
    if (!sessionStorage.getItem("tab")) sessionStorage.setItem("tab", Math.random().toString(36).slice(2, 10));
    return sessionStorage.getItem("tab");
  }) ?? "tab";
}

/** Storage may be forbidden or full: then the browser keeps nothing. */
function attempt(work) {
  try {
    return work();
  } catch {
    return null;
  }
}
