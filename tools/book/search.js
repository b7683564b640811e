// Finds sections that have all words that were typed; headings count more. Works on the page itself, without a server.
"use strict";
const sections = [];
for (const heading of document.querySelectorAll("main h1, main h2, main h3")) {
  let text = "";
  for (let next = heading.nextElementSibling; next && !/^H[123]$/.test(next.tagName); next = next.nextElementSibling)
    text += " " + next.textContent;
  const chapter = heading.closest("section").querySelector("h1").textContent;
  sections.push({ id: heading.id, title: heading.textContent, chapter, text: text.replace(/\s+/g, " ") });
}

function find(typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const score = s => {
    const title = (s.chapter + " " + s.title).toLowerCase(), text = s.text.toLowerCase();
    let sum = 0;
    for (const word of words) {
      if (!title.includes(word) && !text.includes(word)) return 0;
      sum += (title.includes(word) ? 20 : 0) + Math.min(text.split(word).length - 1, 9);
    }
    return sum;
  };
  return words.length ? sections.map(s => [score(s), s]).filter(([n]) => n).sort((a, b) => b[0] - a[0]).map(([, s]) => s) : [];
}

const field = document.getElementById("search"), list = document.getElementById("found"), contents = document.getElementById("contents");
field.addEventListener("input", () => {
  const hits = find(field.value), word = field.value.trim().toLowerCase().split(/\s+/)[0];
  contents.hidden = list.hidden = false;
  list.replaceChildren(...hits.slice(0, 40).map(s => {
    const item = document.createElement("li"), link = document.createElement("a"), some = document.createElement("small");
    const at = Math.max(0, s.text.toLowerCase().indexOf(word) - 40);
    link.href = "#" + s.id;
    link.textContent = s.title === s.chapter ? s.title : s.chapter + ": " + s.title;
    some.textContent = (at ? "… " : "") + s.text.slice(at, at + 120).trim() + " …";
    item.append(link, some);
    return item;
  }));
  contents.hidden = field.value.trim() !== "";
  list.hidden = !contents.hidden;
  if (!hits.length) list.textContent = "nothing found";
});
addEventListener("keydown", event => {
  if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
});
