// What pages do in the browser; without it, they show the same, at rest.

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".compare").forEach(compare);
  document.querySelectorAll("table.zoo").forEach(zoo);
  document.querySelectorAll(":not(pre) > code").forEach((code) => {
    if (code.textContent.length < 28) code.classList.add("short");
  });
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  new MutationObserver((_, observer) => { // the list of versions comes later; its text is its name
    const version = document.querySelector(".md-version__current");
    if (version) observer.disconnect();
    version?.removeAttribute("aria-label");
  }).observe(document.querySelector(".md-header"), { childList: true, subtree: true });
  const edit = document.querySelector('a[href*="/docs/gallery/"][href$=".md"]'); // an example is a program
  if (edit) edit.href = edit.href.replace(/\.md$/, ".py");
  const suggestions = document.getElementById("suggestions");
  if (suggestions) suggest(suggestions);
});
window.addEventListener("load", reachable);
window.addEventListener("resize", reachable);

// Before and after: the handle moves the border between two pictures.
function compare(box) {
  const handle = box.querySelector("input");
  const move = () => box.style.setProperty("--at", handle.value + "%");
  handle.addEventListener("input", move);
  move();
  box.classList.add("ready");
}

// The table of models: choices above it, and headings that sort.
function zoo(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const filters = document.createElement("div");
  filters.className = "filters";
  const chosen = {};
  const show = () => rows.forEach((row) => {
    row.hidden = Object.entries(chosen).some(([key, value]) => value && row.dataset[key] !== value);
  });
  [["task", "task"], ["licence", "licence"], ["commercial", "commercial use"]].forEach(([key, words]) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.append(new Option("all", ""));
    [...new Set(rows.map((row) => row.dataset[key]))].sort().forEach((value) => select.append(new Option(value, value)));
    select.addEventListener("change", () => { chosen[key] = select.value; show(); });
    label.append(words + " ", select);
    filters.append(label);
  });
  table.closest("div.zoo").prepend(filters);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent;
      rows.sort((a, b) => {
        if (!text(a) || !text(b)) return !text(a) - !text(b); // nothing measured comes last
        return text(a).localeCompare(text(b), "en", { numeric: true }) * (down ? -1 : 1);
      });
      body.append(...rows);
    });
  });
}

// What scrolls sideways can be scrolled with the keyboard, too.
function reachable() {
  document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset figure, .md-typeset pre > code").forEach((box) => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  });
}

// A page that is missing: those whose addresses resemble it.
async function suggest(box) {
  const answer = await fetch(box.dataset.sitemap);
  const places = [...(await answer.text()).matchAll(/<loc>([^<]+)<\/loc>/g)].map((match) => new URL(match[1]).pathname);
  const pairs = (path) => {
    const text = path.split("/").filter(Boolean).slice(-2).join(" ").toLowerCase();
    return new Set([...text].slice(1).map((_, i) => text.slice(i, i + 2)));
  };
  const wanted = pairs(location.pathname);
  const likeness = (path) => {
    const found = pairs(path);
    return [...found].filter((pair) => wanted.has(pair)).length / (found.size + wanted.size);
  };
  const root = new URL(box.dataset.sitemap, location.href).pathname.replace(/sitemap\.xml$/, "");
  const shared = places.reduce((a, b) => (a.length < b.length ? a : b), places[0] || "");
  places.sort((a, b) => likeness(b) - likeness(a)).slice(0, 5).forEach((path) => {
    const link = document.createElement("a");
    link.href = root + path.slice(shared.length);
    link.textContent = path.slice(shared.length).replace(/\/$/, "") || "Home";
    const item = document.createElement("li");
    item.append(link);
    box.querySelector("ul").append(item);
  });
  box.hidden = !places.length;
}
