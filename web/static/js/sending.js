// Forms marked so are sent by fetch: the same address, the same rules, the same words as without script.
//
// While the page is live its parts show what came of it; otherwise the next page does, as after an ordinary form. What
// cannot be sent stays where it was typed, instead of being lost on the browser's own page about a server that is away.

import * as drafts from "./drafts.js";
import * as parts from "./parts.js";
import * as tabs from "./tabs.js";
import { isLive } from "./watching.js";
import { words } from "./words.js";

const NAVIGATING = 4_000; // milliseconds in which a form that was just sent as a form is not sent again
const DOUBLE = 600; // milliseconds in which a second click is still the same double click, though another button is there now

const sending = new WeakMap(); // form on its way → what was in it
const next = new WeakMap(); // form on its way → the button that was pressed meanwhile, with something else in it
const asForm = new WeakSet(); // forms that shall go the ordinary way this time
const clicked = new WeakMap(); // part → when one of its forms was sent
const unsettled = new WeakMap(); // form → its once-only word, for as long as nobody knows whether what was sent arrived
const AGAIN_AFTER = [1_000, 2_000]; // milliseconds, after no answer came to what is done once however often it is sent

export function start() {
  document.addEventListener("submit", onSubmit);
  document.addEventListener("input", onInput);
}

/** Whoever typed or chose something since they pressed a button means the next one: that is no double click. */
function onInput(event) {
  const { form } = event.target;
  if (form?.matches("[data-live-form]")) clicked.delete(partOf(form));
}

function onSubmit(event) {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
  if (sending.has(form)) {
    event.preventDefault(); // the second click of a double click, unless something else was typed
    if (written(form, event.submitter) !== sending.get(form)) next.set(form, event.submitter);
    return;
  }
  if (form.matches("[data-live-form]") && !asForm.has(form)) {
    event.preventDefault();
    const part = isLive() ? partOf(form) : undefined;
    if (part && Date.now() - clicked.get(part) < DOUBLE) return;
    if (part) clicked.set(part, Date.now());
    sending.set(form, written(form, event.submitter));
    parts.whileChanging(part, () => send(form, event.submitter, part)).finally(() => onEnd(form, part));
    return;
  }
  asForm.delete(form);
  drafts.onSent(form);
  sending.set(form, written(form, event.submitter));
  setTimeout(() => sending.delete(form), NAVIGATING);
}

/** What is in a form, but for the word that makes it count once and the version of its draft. */
function written(form, submitter) {
  const data = new FormData(form, submitter);
  for (const name of ["once", "draft"]) data.delete(name);
  return new URLSearchParams(data).toString();
}

function onEnd(form, part) {
  sending.delete(form);
  if (!next.has(form)) return;
  const submitter = next.get(form);
  next.delete(form);
  clicked.delete(part);
  if (form.isConnected) form.requestSubmit(submitter);
}

async function send(form, submitter, part) {
  complain(form, "");
  drafts.onSending(form);
  const once = onlyOnce(form);
  const body = new URLSearchParams(new FormData(form, submitter));
  let answer;
  try {
    answer = await post(submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href, body, once ? AGAIN_AFTER : []);
  } catch {
    if (part) clicked.delete(part); // it may be sent again at once
    drafts.onUnsent(form);
    return complain(form, words("liveUnsent", form));
  }
  if (answer.ok || answer.type === "opaqueredirect") return onDone(form, submitter, answer, part);
  if (part) clicked.delete(part);
  return onRefused(form, submitter, answer);
}

async function post(address, body, again) {
  for (const pause of [...again, null]) {
    try {
      const answer = await fetch(address, {
        method: "POST",
        body,
        credentials: "same-origin",
        redirect: "manual",
        headers: {
          Accept: "application/json",
          "X-CSRFToken": document.querySelector('meta[name="csrf-token"]')?.content ?? "",
          "X-Requested-With": "live",
        },
        signal: AbortSignal.timeout(10_000),
      });
      if (answer.status !== 503 || pause === null) return answer; // the server that had it may have died under it
    } catch (lost) {
      if (pause === null) throw lost;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** The form's once-only word: the same until it is known what came of it, though the server sends a fresh one meanwhile. */
function onlyOnce(form) {
  const field = form.elements.once;
  if (!field) return "";
  if (!unsettled.has(form)) unsettled.set(form, field.value);
  return (field.value = unsettled.get(form));
}

/** It arrived: what is sent next is something else. */
function renew(form) {
  if (unsettled.delete(form)) form.elements.once.value = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function onDone(form, submitter, answer, part) {
  drafts.forget(form);
  tabs.onDone(form);
  renew(form);
  if (!part) return go((await answer.json().catch(() => ({}))).location);
  if (written(form, submitter) === sending.get(form)) empty(form);
  else drafts.onTyped(form); // meanwhile: it stays
  await parts.refresh(part, { own: true });
  // What was made may stand on another page of the same, as a comment does where there are many.
  const { location: made } = await answer.json().catch(() => ({}));
  const place = made && new URL(made, location.href).hash.slice(1);
  if (place && !document.getElementById(place)) go(made);
}

/** Ready for something else, and folded where it was unfolded. */
function empty(form) {
  form.reset();
  const fold = form.closest("details");
  if (fold?.contains(document.activeElement)) fold.querySelector("summary").focus({ preventScroll: true });
  fold?.removeAttribute("open");
}

/** To that page, also where it is this one, as it is now. */
function go(address) {
  const next = new URL(address ?? location.href, location.href);
  if (next.origin !== location.origin) return;
  if (next.pathname + next.search !== location.pathname + location.search) return location.assign(next);
  history.replaceState(null, "", next);
  location.reload();
}

/** Say why beside the form. Where fields are to be mended, the server shows the page with all that was typed. */
async function onRefused(form, submitter, answer) {
  const { detail, errors } = await answer.json().catch(() => ({}));
  if (detail && Object.keys(errors ?? {}).length === 0 && answer.status !== 401) {
    drafts.onUnsent(form);
    return complain(form, detail);
  }
  asForm.add(form);
  sending.delete(form);
  form.requestSubmit(submitter);
}

/** The part that shows what the form does: it comes from the address that the form is sent to, or the form stands in it. */
function partOf(form) {
  const path = (address) => new URL(address ?? "", location.href).pathname;
  return parts.all().find((part) => path(part.dataset.src) === path(form.getAttribute("action"))) ?? parts.around(form);
}

function complain(form, text) {
  let place = form.querySelector("[data-live-error], [data-live-said]") ?? parts.around(form)?.querySelector("[data-live-error]");
  if (!place && text) form.append((place = made()));
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
}

/** A place for what could not be done. It is read aloud at once: the reader waits for it. */
function made() {
  const place = document.createElement("p");
  place.className = "govuk-error-message";
  place.dataset.liveSaid = "";
  place.setAttribute("role", "alert");
  return place;
}
