// The page's one polite status line. What happens within five seconds is said in one breath; numbers are never said.

const PAUSE = 5_000;
const waiting = new Map();
let timer;

/** Have that said. What is said about the same thing meanwhile takes its place. */
export function say(text, about = text) {
  const line = document.querySelector("[data-live-status]");
  if (!line || !text) return;
  waiting.set(about, text);
  timer ??= setTimeout(() => {
    timer = undefined;
    line.textContent = [...waiting.values()].join(". ");
    waiting.clear();
  }, PAUSE);
}
