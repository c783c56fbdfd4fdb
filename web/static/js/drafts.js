// What is being typed into `<form data-keep>` is kept by the browser for as long as the tab lives, and put back after a
// crash, a lost connection or a step back. Never on another device, never sent.

const ONCE = "once"; // the once-only word of the form: who reloads and sends the same again, sends it once
const SENT = "sent"; // marks a draft whose form was sent: it is put back only to who steps back or reloads

const reader = document.body.dataset.reader || "nobody"; // a draft is shown to who wrote it, and to nobody else

export function start() {
  if (reader !== "nobody") clearOthers();
  const [visit] = performance.getEntriesByType("navigation");
  const stepsBack = visit?.type === "back_forward" || visit?.type === "reload";
  for (const form of document.querySelectorAll("form[data-keep]")) {
    const draft = read(form);
    if (draft?.[SENT] && !stepsBack) forget(form);
    else if (draft) fillIn(form, draft);
  }
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form?.matches("[data-keep]")) write(form, valuesOf(form));
  });
}

/** The form goes to the server as a form; whether it arrives, the next page will show. */
export function onSent(form) {
  if (form.matches("[data-keep]") && read(form)) write(form, { ...valuesOf(form), [SENT]: true });
}

/** It arrived. */
export function forget(form) {
  attempt(() => sessionStorage.removeItem(nameOf(form)));
}

function fieldsOf(form) {
  return [...form.elements].filter((field) => field.name && field.name !== "csrf_token" && !["hidden", "password", "submit"].includes(field.type) && field.tagName !== "BUTTON");
}

function valuesOf(form) {
  const values = {};
  fieldsOf(form).forEach((field, place) => {
    const ticked = field.type === "checkbox" || field.type === "radio";
    if (ticked ? field.checked !== field.defaultChecked : field.value) values[`${field.name} ${place}`] = ticked ? field.checked : field.value;
  });
  if (form.elements.once) values[ONCE] = form.elements.once.value;
  return values;
}

/** Only into what is empty: what the server put there is newer. */
function fillIn(form, draft) {
  if (draft[ONCE] && form.elements.once) form.elements.once.value = draft[ONCE];
  fieldsOf(form).forEach((field, place) => {
    const value = draft[`${field.name} ${place}`];
    if (value === undefined) return;
    if (field.type === "checkbox" || field.type === "radio") field.checked = value;
    else if (field.tagName === "SELECT" || !field.value) field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

/** Somebody else uses this browser now: what others were typing is theirs. */
function clearOthers() {
  attempt(() => {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith("draft ") && !name.startsWith(`draft ${reader} `)) sessionStorage.removeItem(name);
  });
}

function nameOf(form) {
  return `draft ${reader} ${form.dataset.keep || form.getAttribute("action") || location.pathname}`;
}

function read(form) {
  return attempt(() => JSON.parse(sessionStorage.getItem(nameOf(form))));
}

function write(form, values) {
  attempt(() => sessionStorage.setItem(nameOf(form), JSON.stringify(values)));
}

/** Storage may be forbidden or full: then there are no drafts. */
function attempt(work) {
  try {
    return work();
  } catch {
    return null;
  }
}
