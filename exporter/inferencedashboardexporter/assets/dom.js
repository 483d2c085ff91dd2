// Small functions for the document. Text reaches it as text nodes and attribute values only, never as HTML: labels come from the
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

/** Makes an element of a drawing. Attributes as for `h`. */
export function s(tag, props, ...children) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(props ?? {})) if (value !== undefined && value !== null && value !== false) e.setAttribute(name, value);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

/** Makes the children of `host` equal to `wanted`, and leaves alone what is equal already: focus, selections, opened details and
 *  popovers survive. Listeners are not carried over, so that what is written this way uses the ones of the document. */
export function morph(host, ...wanted) {
  const children = wanted.flat().filter((c) => c !== null && c !== undefined && c !== false);
  children.forEach((next, i) => {
    const node = next instanceof Node ? next : document.createTextNode(next);
    const now = host.childNodes[i];
    if (!now) host.append(node);
    else if (now.nodeType !== node.nodeType || now.nodeName !== node.nodeName || now.dataset?.key !== node.dataset?.key) now.replaceWith(node);
    else if (node.nodeType === Node.TEXT_NODE) { if (now.data !== node.data) now.data = node.data; } else blend(now, node);
  });
  while (host.childNodes.length > children.length) host.lastChild.remove();
}

const kept = ['open', 'aria-expanded', 'aria-describedby']; // the reader's, or of a popover

function blend(now, next) {
  if (now.isEqualNode(next)) return;
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name) && name !== 'style' && !kept.includes(name)) now.removeAttribute(name);
  for (const { name, value } of [...next.attributes]) if (!kept.includes(name) && name !== 'style' && now.getAttribute(name) !== value) now.setAttribute(name, value);
  if (now.style.cssText !== next.style.cssText) now.style.cssText = next.style.cssText;
  morph(now, ...next.childNodes);
}

/** Sets properties of the style, which the content policy allows where an attribute would not be. */
export function styled(e, properties) {
  for (const [name, value] of Object.entries(properties)) e.style.setProperty(name, value);
  return e;
}
