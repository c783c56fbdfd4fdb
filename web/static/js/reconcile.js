// Makes an element on the page equal to one that just came from the server, and moves nothing that a person holds.
//
// What comes and goes carries `data-key` (or an `id`): such a node stays the same node wherever it goes. Everything else
// is matched by its place. What somebody types in, has focus in or has opened is left as it is.

const OURS = ["is-changed", "is-fresh", "is-dragged"]; // classes that script set, and that the server does not know

/**
 * @typedef {object} Change
 * @property {Element[]} added
 * @property {Element[]} held  keyed newcomers that were not let in
 * @property {Element[]} left  what is gone
 */

/**
 * @param {Element} old on the page
 * @param {Element} fresh from the server
 * @param {object} [options]
 * @param {boolean} [options.wait] keyed newcomers wait: they are returned as `held`
 * @param {(key: string) => boolean} [options.gone] must what has this key leave, even out of somebody's hands?
 * @returns {Change}
 */
export function reconcile(old, fresh, { wait = false, gone = () => false } = {}) {
  const known = new Map(keyed(old));
  const wanted = new Set([...keyed(fresh)].map(([key]) => key));
  const change = { added: [], held: [], left: [] };
  const hands = handsOn(old);
  morph(old, fresh);
  hands();
  return change;

  function morph(have, want) {
    if (have.isEqualNode(want)) return;
    const writing = isField(have) && (have === document.activeElement || isTyped(have));
    if (!writing) matchAttributes(have, want);
    if (!writing || have.tagName === "SELECT") matchChildren(have, want);
  }

  function matchChildren(have, want) {
    for (const child of [...have.children]) {
      const key = keyOf(child);
      if (key && !wanted.has(key) && !stays(child)) leave(child);
    }
    let place = have.firstChild;
    for (const child of [...want.childNodes]) {
      while (place && stays(place)) place = place.nextSibling;
      const match = find(child, place);
      if (!match && wait && child.dataset?.key) {
        change.held.push(child);
        continue;
      }
      if (match === place && match) place = place.nextSibling;
      else if (match) move(match, have, place);
      else have.insertBefore(enter(child), place);
      if (match) match.nodeType === Node.ELEMENT_NODE ? morph(match, child) : matchText(match, child);
    }
    while (place) {
      const after = place.nextSibling;
      if (!stays(place) && !wanted.has(keyOf(place))) leave(place);
      place = after;
    }
  }

  /** What of the page becomes `want`: the one with its key, wherever it is; without a key, the next like it from here. */
  function find(want, from) {
    const key = keyOf(want);
    if (key) return known.get(key)?.nodeName === want.nodeName ? known.get(key) : null;
    for (let node = from; node; node = node.nextSibling) {
      if (node.nodeName === want.nodeName && !keyOf(node)) return node;
    }
    return null;
  }

  /** A keyed node that the server no longer sends, while somebody has it in hand; and what script itself said there. */
  function stays(node) {
    if (node.dataset?.liveSaid !== undefined) return true;
    const key = keyOf(node);
    return Boolean(key) && !wanted.has(key) && !gone(key) && isHeld(node);
  }

  function enter(node) {
    const copy = document.importNode(node, true);
    if (keyOf(copy)) change.added.push(copy);
    return copy;
  }

  function leave(node) {
    if (keyOf(node)) change.left.push(node);
    node.remove();
  }
}

export function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  return node.dataset.key ? `key ${node.dataset.key}` : node.id ? `id ${node.id}` : "";
}

function* keyed(root) {
  for (const element of root.querySelectorAll("[data-key], [id]")) yield [keyOf(element), element];
}

/** Is somebody at work in there: with focus in a field, a `<details>` open, or words typed? */
function isHeld(element) {
  const focus = element.contains(document.activeElement) && isField(document.activeElement);
  return focus || element.matches("details[open]") || element.querySelector("details[open] form") !== null || hasTyped(element);
}

function hasTyped(element) {
  return [...element.querySelectorAll("textarea, input, select")].some(isTyped);
}

function isField(element) {
  return element.matches?.("textarea, select, input:not([type=hidden], [type=submit], [type=button])") ?? false;
}

/** Does it hold anything but what the server put in? */
function isTyped(field) {
  if (!isField(field)) return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const options = [...field.options];
  if (!options.some((option) => option.defaultSelected)) return !field.multiple && field.selectedIndex > 0;
  return options.some((option) => option.selected !== option.defaultSelected);
}

function matchAttributes(have, want) {
  const kept = have.tagName === "DETAILS" ? ["open"] : [];
  const ours = OURS.filter((name) => have.classList.contains(name));
  for (const { name } of [...have.attributes]) {
    if (!want.hasAttribute(name) && !kept.includes(name)) have.removeAttribute(name);
  }
  for (const { name, value } of want.attributes) {
    if (have.getAttribute(name) !== value && !kept.includes(name)) have.setAttribute(name, value);
  }
  if (ours.length) have.classList.add(...ours);
}

function matchText(have, want) {
  if (have.data !== want.data) have.data = want.data;
}

/** Put a node elsewhere. `moveBefore`, where the browser has it, keeps focus, selection and what is open. */
function move(node, parent, place) {
  if (parent.moveBefore && node.isConnected) parent.moveBefore(node, place);
  else parent.insertBefore(node, place);
}

/** Remember where the hands of the reader are; what is returned puts them back there. */
function handsOn(root) {
  const focused = document.activeElement;
  if (!focused || !root.contains(focused)) return () => {};
  const selection = [focused.selectionStart, focused.selectionEnd];
  const { name, id } = focused;
  const key = keyOf(focused.closest("[data-key]") ?? root);
  return () => {
    if (document.activeElement === focused) return;
    const like = focused.isConnected ? focused : successor(root, key, id, name);
    like?.focus({ preventScroll: true });
    if (like === focused && Number.isInteger(selection[0])) focused.setSelectionRange(...selection);
  };
}

/** What took the place of a control that is gone: the one of its name, else the first button where it was. */
function successor(root, key, id, name) {
  const near = [...root.querySelectorAll("[data-key]")].find((element) => keyOf(element) === key) ?? root;
  const same = (id && document.getElementById(id)) || (name && near.querySelector(`[name="${CSS.escape(name)}"]`));
  return same || near.querySelector("button, a[href], summary");
}
