
"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  // A page opened from a disk may not be allowed to remember anything.
  const remember = (value) => { try { localStorage.setItem("bench-theme", value); } catch { /* as it is */ } };
  const remembered = () => { try { return localStorage.getItem("bench-theme"); } catch { return null; } };
  if (["dark", "light"].includes(remembered())) root.dataset.theme = remembered();
  button.hidden = false;
  name();
  dark.addEventListener("change", name);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    name();
  });

  const text = (row, column) => row.cells[column].textContent.trim();
  const number = (value) => /^[-+]?\d[\d.,]*(e[-+]?\d+)?/i.test(value) ? parseFloat(value.replace(/,/g, "")) : NaN;
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (!isNaN(x) && !isNaN(y)) return x - y;
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  const sort = (table, head) => {
    const column = head.cellIndex;
    const falls = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) {
      if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    }
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => compare(text(a, column), text(b, column)) * (falls ? -1 : 1));
    body.append(...rows);
  };
  for (const table of document.querySelectorAll("table")) {
    for (const press of table.querySelectorAll("th button")) {
      const head = press.parentElement;
      head.setAttribute("aria-sort", "none");
      press.disabled = false;
      press.addEventListener("click", () => sort(table, head));
    }
  }

  for (const input of document.querySelectorAll("input[data-table]")) {
    const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
    const said = input.parentElement.querySelector("output");
    input.parentElement.hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const inside = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => inside.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      said.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
  }

  const tip = document.getElementById("tip");
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const [at, own] = [mark.getBoundingClientRect(), tip.getBoundingClientRect()];
    const left = Math.min(Math.max(4, at.left + at.width / 2 - own.width / 2), innerWidth - own.width - 4);
    const above = at.top - own.height - 6;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 4 ? above : at.bottom + 6}px`;
  });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
})();
