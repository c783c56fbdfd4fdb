// What script says to people. The page brings its words with it in the reader's language; the English ones here are for
// pages that bring none.

const ENGLISH = {
  liveOn: "Live",
  liveCatching: "Catching up",
  liveOff: "Not live since %(time)s",
  liveUnsent: "We do not know whether this arrived. You can send it again: nothing is done twice. What you typed is still here.",
  liveGone: "This idea is no longer open to you.",
};

/** The words of that name: on the element, else on the page's `<body>`, else in English. */
export function words(name, element) {
  return element?.dataset[name] || document.body.dataset[name] || ENGLISH[name];
}

/** "3 new ideas" from "%(n)s new ideas" and {n: 3}. */
export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? values[name] : whole));
}

const language = document.documentElement.lang || "en";
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const counting = new Intl.NumberFormat(language === "en" ? "en-GB" : language);

/** 10:42 */
export function time(moment = Date.now()) {
  return clock.format(moment);
}

/** 1,234 */
export function number(value) {
  return counting.format(value);
}
