// Elements of the page. What comes from the service goes in as text and is never parsed as HTML.

/** Return an element with attributes and children (elements or strings). */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Return an element of the page by its id. */
export const byId = (id) => document.getElementById(id);

/** Set a text where it differs: a selection in it, and a screen reader, are left in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set a data attribute, or take it away when the value is null. */
export function setData(node, name, value) {
  if (value === null || value === undefined) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}

/**
 * Let a container hold one child an item, in the items' order, and keep the children that stay:
 * a button that has the focus still has it after an update.
 */
export function keep(container, items, keyOf, make, update) {
  const present = container.kept ?? (container.kept = new Map());
  const wanted = new Map(items.map((item) => [String(keyOf(item)), item]));
  for (const [key, node] of present) {
    if (!wanted.has(key)) {
      node.remove();
      present.delete(key);
    }
  }
  let place = container.firstElementChild;
  for (const [key, item] of wanted) {
    let node = present.get(key);
    if (node === undefined) {
      node = make(item);
      present.set(key, node);
    }
    if (node === place) place = place.nextElementSibling;
    else container.insertBefore(node, place);
    update(node, item);
  }
}

/** Show name and value pairs in a description list; a pair is {name, value, level, note}. */
export function showPairs(list, pairs) {
  const make = () => element("div", {}, element("dt"), element("dd"));
  keep(list, pairs, (pair) => pair.name, make, (node, pair) => {
    setText(node.firstChild, pair.name);
    setData(node, "level", pair.level);
    if (pair.note) node.title = pair.note;
    if (pair.show) pair.show(node.lastChild);
    else setText(node.lastChild, pair.value);
  });
}

/** Return the address if it leads to a web page, null for anything else (javascript:, data:). */
export function webAddress(url) {
  try {
    return ["http:", "https:"].includes(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}
