// What is left of a field's length, in words, while one types.

import { fill, number } from "./words.js";

export function start() {
  adapt(document);
  document.addEventListener("input", (event) => count(event.target));
  document.addEventListener("reset", (event) => setTimeout(() => adapt(event.target)));
  document.addEventListener("live:changed", (event) => adapt(event.target));
}

function adapt(root) {
  for (const message of root.querySelectorAll("[data-count]")) count(document.getElementById(message.dataset.count));
}

const counted = new WeakSet(); // messages that said how much is left; until then the page says how much there is room for

/** Characters as the server counts them: whole ones, without the spaces at both ends. */
function count(field) {
  const message = field?.id && document.querySelector(`[data-count="${CSS.escape(field.id)}"]`);
  if (!message || (!field.value && !counted.has(message))) return;
  counted.add(message);
  const left = Number(message.dataset.most) - [...field.value.trim()].length;
  const { leftOne, leftMany, overOne, overMany } = message.dataset;
  const [one, many] = left < 0 ? [overOne, overMany] : [leftOne, leftMany];
  message.textContent = Math.abs(left) === 1 ? one : fill(many, { n: number(Math.abs(left)) });
  message.classList.toggle("govuk-error-message", left < 0);
}
