"use strict";
// Search and "show all" in long tables and lists, and links to reviews that are folded away. Without scripts all is shown.
(() => {
  const words = document.body.dataset;
  const plain = (text) => text.toLowerCase().replaceAll("ё", "е");
  const filled = (sentence, ...values) => values.reduce((said, value) => said.replace("%", value), sentence);

  const tooled = (list) => {
    const items = [...list.children];
    const shown = Number(list.dataset.items);
    if (items.length <= shown) return;
    const block = list.closest("table") || list;
    const tools = document.createElement("p");
    tools.className = "tools";
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = words.search;
    field.setAttribute("aria-label", words.search);
    const found = document.createElement("span");
    found.setAttribute("aria-live", "polite");
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    tools.append(field, found);
    block.before(tools);
    block.after(more);
    let texts = null;
    let all = false;
    const look = () => {
      const wanted = plain(field.value.trim());
      texts = texts || (wanted ? items.map((item) => plain(item.textContent)) : null);
      let hits = 0;
      items.forEach((item, at) => {
        const hit = !wanted || texts[at].includes(wanted);
        hits += hit;
        item.classList.toggle("folded", !hit || (!wanted && !all && at >= shown));
      });
      found.textContent = wanted ? filled(words.found, hits, items.length) : "";
      more.hidden = Boolean(wanted);
      more.textContent = all ? words.fewer : filled(words.all, items.length);
    };
    field.addEventListener("input", look);
    more.addEventListener("click", () => { all = !all; look(); });
    look();
  };

  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) {
      at.classList.remove("folded");
      if (at.tagName === "DETAILS") at.open = true;
    }
    (target.closest("details") || target).scrollIntoView();
  };

  document.querySelectorAll("[data-items]").forEach(tooled);
  addEventListener("hashchange", reveal);
  reveal();
})();
