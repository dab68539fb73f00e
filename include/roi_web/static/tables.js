// Sorts tables by a column: `data-value` of a cell where it has one, else its text.
(() => {
  const ABSENT = ["", "\u2013"];
  const NUMBER = /^[+-]?[\d,]*\.?\d+(e[+-]?\d+)?/i;
  const DAY = /^\w{3} \d{1,2} \w{3} \d{4}\b/;
  const collator = new Intl.Collator("en", { numeric: true });

  const valueOf = (cell) => (cell?.dataset.value ?? cell?.textContent ?? "").trim().replaceAll("\u2212", "-");

  const numberOf = (value) => parseFloat(NUMBER.exec(value)?.[0].replaceAll(",", "") ?? "NaN");
  const wholeNumberOf = (value) =>
    NUMBER.exec(value)?.[0].length === value.replace(/ [%\u00d7]$/, "").length ? numberOf(value) : NaN;
  const dateOf = (value) => (DAY.test(value) ? Date.parse(`${value.slice(4, 15).trim()} UTC`) : NaN);

  // What a column sorts by: numbers whatever comes after them in a column of numbers, where words
  // count as absent; dates and numbers elsewhere if there is nothing else; else null, for its text.
  const readerOf = (values, numeric) => {
    const present = values.filter((value) => !ABSENT.includes(value));
    const read = (reader) => present.map(reader).map(Number.isFinite);
    if (numeric && read(numberOf).some(Boolean)) return numberOf;
    return [dateOf, wholeNumberOf].find((reader) => read(reader).every(Boolean)) ?? null;
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const headers = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const up = header.getAttribute("aria-sort") !== "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [row, valueOf(row.cells[column])]);
        const read = readerOf(rows.map(([, value]) => value), header.classList.contains("n"));
        const compare = read ? (a, b) => read(a) - read(b) : collator.compare;
        const absent = (value) => ABSENT.includes(value) || (read !== null && Number.isNaN(read(value)));
        rows.sort(([, a], [, b]) =>
          absent(a) || absent(b) ? absent(a) - absent(b) : up ? compare(a, b) : compare(b, a));
        body.append(...rows.map(([row]) => row));
      });
    });
  }
})();
