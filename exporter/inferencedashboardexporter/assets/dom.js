// Small helpers for the document. Text reaches it as text nodes and attribute values only, never as HTML: labels come from the
// network and may hold anything.

export const $ = (id) => document.getElementById(id);

/** Makes an element. Props are attributes; `class` and `on...` listeners included. Children are nodes or text. */
export function h(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

/** Sets text only where it changed, so that selections and screen readers are left alone. */
export function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

/** Sets or removes an attribute only where it changed. */
export function setAttr(e, name, value) {
  if (value === null || value === undefined || value === '') {
    if (e.hasAttribute(name)) e.removeAttribute(name);
  } else if (e.getAttribute(name) !== value) {
    e.setAttribute(name, value);
  }
}

/** Shortens text in the middle for display; the whole of it belongs in a title. */
export function shorten(text, max = 64) {
  const chars = Array.from(text.length > 4 * max ? text.slice(0, 2 * max) + text.slice(-2 * max) : text);
  if (chars.length <= max) return text;
  const tail = Math.floor(max / 3);
  return chars.slice(0, max - tail - 1).join('') + '…' + chars.slice(-tail).join('');
}
