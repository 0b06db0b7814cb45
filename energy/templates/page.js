"use strict";

const names = new Intl.Collator("en", { numeric: true });

/** The number that a cell shows, or one below all others where it shows none. */
function shownNumber(text) {
  const number = parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? -Infinity : number;
}

function compare(column, isNumeric) {
  const text = (row) => row.cells[column].textContent.trim();
  return isNumeric
    ? (a, b) => shownNumber(text(a)) - shownNumber(text(b))
    : (a, b) => names.compare(text(a), text(b));
}

/** Headings become buttons: up, down, and back to the order of the network. */
function makeSortable(table) {
  const body = table.tBodies[0];
  const given = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const label = heading.querySelector(".label");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...label.childNodes);
    label.replaceWith(button);
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[heading.ariaSort ?? "none"];
      headings.forEach((other) => { other.ariaSort = null; });
      const order = [...given];
      if (next !== "none") {
        heading.ariaSort = next;
        const sign = next === "ascending" ? 1 : -1;
        const compared = compare(column, heading.classList.contains("number"));
        order.sort((a, b) => sign * compared(a, b));
      }
      body.append(...order);
    });
  });
}

/** A box above the table: rows that lack one of its words are hidden. */
function makeFilterable(table) {
  const rows = [...table.tBodies[0].rows];
  const controls = document.createElement("p");
  controls.className = "filter";
  const label = document.createElement("label");
  const box = document.createElement("input");
  const left = document.createElement("output");
  box.type = "search";
  label.append("Filter rows ", box);
  controls.append(label, " ", left);
  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    left.value = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
  };
  box.addEventListener("input", filter);
  filter();
  table.parentElement.before(controls);
}

for (const table of document.querySelectorAll("table.explorable")) {
  makeSortable(table);
  makeFilterable(table);
}
