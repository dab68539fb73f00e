// Tries a request of the API; without it the links open the same lists.
(() => {
  const SHOWN = 4000;

  for (const form of document.querySelectorAll("form[data-try]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const query = new URLSearchParams();
      let path = form.getAttribute("action");
      for (const field of form.querySelectorAll("input")) {
        const value = field.value.trim();
        if ("path" in field.dataset) {
          const name = encodeURIComponent(`{${field.name}}`);
          path = path.replace(`{${field.name}}`, encodeURIComponent(value)).replace(name, encodeURIComponent(value));
        } else if (value) {
          query.set(field.name, value);
        }
      }
      const address = query.size ? `${path}?${query}` : path;
      const result = form.querySelector("pre");
      const status = form.querySelector("output");
      status.textContent = "…";
      try {
        const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
        const text = JSON.stringify(await answer.json(), null, 1);
        status.textContent = `${answer.status} from ${address}`;
        result.textContent = text.length > SHOWN ? `${text.slice(0, SHOWN)}\n…` : text;
        result.hidden = false;
      } catch {
        status.textContent = "The server did not answer.";
        result.hidden = true;
      }
    });
  }
})();
