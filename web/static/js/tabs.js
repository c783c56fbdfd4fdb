// What somebody presses in one tab is pressed in their others: "You voted for this idea" stands in all of them.

import * as parts from "./parts.js";

const channel = new BroadcastChannel("pressed");

export function start() {
  channel.addEventListener("message", ({ data }) => {
    for (const form of document.forms) {
      const part = path(form) === data && isButton(form) && parts.around(form);
      if (part) parts.refresh(part, { own: true });
    }
  });
}

/** A form was done with: tell the other tabs, if it was no more than a button. */
export function onDone(form) {
  if (isButton(form)) channel.postMessage(path(form));
}

const path = (form) => new URL(form.getAttribute("action") ?? "", location.href).pathname;
const isButton = (form) => !form.querySelector("textarea, select, input:not([type=hidden])");
