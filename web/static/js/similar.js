// Ideas that look like the one being written, while its title is typed. They inform; they never stand in the way.

import { change, load } from "./parts.js";

const PAUSE = 350; // milliseconds without a key, before we ask
const SHORTEST = 8; // characters of a text that is worth asking about; it has two words of three letters, too

const asked = new WeakMap(); // part → how to stop asking

export function start() {
  for (const part of document.querySelectorAll("[data-similar-to]")) {
    const field = document.getElementById(part.dataset.similarTo);
    field?.addEventListener("input", () => plan(part, field));
  }
}

function plan(part, field) {
  asked.get(part)?.abort();
  const stop = new AbortController();
  asked.set(part, stop);
  const timer = setTimeout(() => ask(part, field, stop.signal), PAUSE);
  stop.signal.addEventListener("abort", () => clearTimeout(timer));
}

async function ask(part, field, signal) {
  const text = field.value.trim();
  if (text.length < SHORTEST || (text.match(/\p{L}{3,}/gu) ?? []).length < 2) return;
  try {
    const fresh = await load(`${part.dataset.src}?${new URLSearchParams({ text })}`, part.id);
    if (fresh && !signal.aborted) change(part, fresh);
  } catch {
    // Nobody answers: what stands there stays.
  }
}
